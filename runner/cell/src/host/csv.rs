//! `csv::*`: tables as text (RFC 4180), with any separator. What is read is text; nothing is
//! guessed to be a number.

use std::collections::{BTreeMap, BTreeSet};

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};
use signalbox_core::Value;
use signalbox_core::codes::Code;

use super::bounds;
use super::options::Options;
use super::{fail, open_argument, placed};
use crate::context::work;
use crate::fault::HostResult;

const READING: [&str; 2] = ["separator", "header"];
const WRITING: [&str; 3] = ["separator", "header", "columns"];

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("decode", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || decode(text, &Options::none()))
    });
    module.set_native_fn("decode", |ctx: NativeCallContext, text: &str, options: Map| {
        placed(&ctx, || decode(text, &Options::of(options, "csv::decode", &READING)?))
    });
    module.set_native_fn("encode", |ctx: NativeCallContext, rows: Array| {
        placed(&ctx, || encode(rows, &Options::none()))
    });
    module.set_native_fn("encode", |ctx: NativeCallContext, rows: Array, options: Map| {
        placed(&ctx, || encode(rows, &Options::of(options, "csv::encode", &WRITING)?))
    });
    engine.register_static_module("csv", module.into());
}

/// One character of ASCII; a comma when nothing is said.
fn separator(options: &Options) -> HostResult<u8> {
    let Some(text) = options.text("separator")? else { return Ok(b',') };
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => {
            fail(Code::BadValue, format!("`{text}` is no separator: it is one character of ASCII"))
        }
    }
}

fn decode(text: &str, options: &Options) -> HostResult<Array> {
    work(text.len())?;
    let header = options.truth("header", true)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(separator(options)?)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let mut values = 0;
    let mut next = || -> HostResult<Option<StringRecord>> {
        let record = records.next().transpose().or_else(|error| fault(&error))?;
        for _ in record.iter().flatten() {
            bounds::count(&mut values)?;
        }
        Ok(record)
    };
    let mut rows = Array::new();
    let names = if header { next()?.map(|record| names(&record)).transpose()? } else { None };
    while let Some(record) = next()? {
        let cells = record.iter().map(Into::into);
        rows.push(match &names {
            Some(names) => {
                let pairs = names.iter().zip(cells);
                pairs.map(|(name, cell)| (name.as_str().into(), cell)).collect::<Map>().into()
            }
            None => cells.collect::<Array>().into(),
        });
    }
    Ok(rows)
}

fn names(record: &StringRecord) -> HostResult<Vec<ImmutableString>> {
    let mut seen = BTreeSet::new();
    match record.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => fail(Code::BadValue, format!("the header has the column `{twice}` twice")),
        None => Ok(record.iter().map(Into::into).collect()),
    }
}

fn fault<T>(error: &csv::Error) -> HostResult<T> {
    let line = error.position().map_or(0, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} cells, and those before it {expected_len}")
        }
        _ => error.to_string(),
    };
    fail(Code::BadValue, message)
}

fn encode(rows: Array, options: &Options) -> HostResult<String> {
    let header = options.truth("header", true)?;
    let separator = separator(options)?;
    let Value::List(rows) = open_argument(&Dynamic::from_array(rows), "CSV")? else {
        return Ok(String::new());
    };
    let columns = columns(&rows, options)?;
    let mut writer = WriterBuilder::new()
        .delimiter(separator)
        .terminator(Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    let mut write = |cells: &[String]| -> HostResult<()> {
        work(cells.iter().map(String::len).sum())?;
        writer.write_record(cells).or_else(|error| fault(&error))
    };
    let has_maps = rows.iter().any(|row| row.as_map().is_some());
    if header && has_maps && !columns.is_empty() {
        write(&columns)?;
    }
    for (at, row) in rows.iter().enumerate() {
        write(&cells(row, &columns, at + 1)?)?;
    }
    match writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => bounds::text(text),
        None => fail(Code::BadValue, "the rows cannot be written"),
    }
}

/// The columns that rows of maps have: those that are asked for, or every key there is, in order.
fn columns(rows: &[Value], options: &Options) -> HostResult<Vec<String>> {
    if let Some(columns) = options.get("columns") {
        let Value::List(columns) = open_argument(columns, "CSV")? else {
            return fail(Code::BadValue, "option `columns` is a list of names");
        };
        let named = columns.iter().map(|column| column.as_str().map(str::to_owned));
        return match named.collect() {
            Some(columns) => Ok(columns),
            None => fail(Code::BadValue, "option `columns` is a list of names"),
        };
    }
    let maps = rows.iter().filter_map(Value::as_map);
    let keys: BTreeSet<&String> = maps.flat_map(BTreeMap::keys).collect();
    Ok(keys.into_iter().cloned().collect())
}

fn cells(row: &Value, columns: &[String], number: usize) -> HostResult<Vec<String>> {
    match row {
        Value::List(cells) => cells.iter().map(|value| cell(value, number)).collect(),
        Value::Map(map) => {
            let at =
                |column| map.get(column).map_or(Ok(String::new()), |value| cell(value, number));
            columns.iter().map(at).collect()
        }
        other => {
            let kind = other.kind();
            fail(Code::BadValue, format!("row {number} is a {kind}; a row is a map or a list"))
        }
    }
}

fn cell(value: &Value, row: usize) -> HostResult<String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => Ok(value.to_string()),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
            let kind = value.kind();
            fail(
                Code::BadValue,
                format!("a cell of kind {kind} in row {row}; it has no form in CSV"),
            )
        }
    }
}
