//! Tables for people: no borders, names and ids in one piece, folded only on a terminal.

use comfy_table::{Cell, Color, ContentArrangement, Table};

use crate::terminal;

/// Columns of the terminal between two columns of a table.
const GAP: u16 = 2;
/// A column is never folded to less than this.
const MIN_ROOM: usize = 8;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Kept in one piece, whatever the width.
    Whole(&'static str),
    /// Kept in one piece, and its words have the colour of what they mean.
    Word(&'static str),
    /// Numbers, at the right.
    Number(&'static str),
    /// May be folded at spaces.
    Text(&'static str),
    /// May be folded behind slashes and hyphens.
    Path(&'static str),
}

impl Column {
    fn header(self) -> &'static str {
        match self {
            Self::Whole(name)
            | Self::Word(name)
            | Self::Number(name)
            | Self::Text(name)
            | Self::Path(name) => name,
        }
    }

    fn folds(self) -> bool {
        matches!(self, Self::Text(_) | Self::Path(_))
    }
}

/// Renders rows under headers, without a line break at the end. `width` is in columns of the
/// terminal; `None` never folds.
pub(crate) fn render(columns: &[Column], rows: &[Vec<String>], width: Option<u16>) -> String {
    let room = width.map(|width| room(columns, rows, usize::from(width)));
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    // Escapes are always written; whoever prints takes them out when nobody would see colours.
    table.enforce_styling();
    table.style_text_only();
    table.set_header(columns.iter().map(|column| header(*column)));
    for row in rows {
        table.add_row(row.iter().zip(columns).map(|(text, column)| cell(*column, text, room)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// How wide each column that may be folded can be, so that the table fits into `width`.
fn room(columns: &[Column], rows: &[Vec<String>], width: usize) -> usize {
    let widest = |at: usize, column: &Column| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count());
        cells.chain([column.header().len()]).max().unwrap_or(0)
    };
    let fixed = columns.iter().enumerate().filter(|(_, column)| !column.folds());
    let taken: usize = fixed.map(|(at, column)| widest(at, column)).sum();
    let folding = columns.iter().filter(|column| column.folds()).count().max(1);
    let gaps = usize::from(GAP) * columns.len().saturating_sub(1);
    (width.saturating_sub(taken + gaps) / folding).max(MIN_ROOM)
}

/// The text in lines of at most `room` characters, broken only where reading does not suffer. A
/// piece that has no such place stays whole.
fn fold(column: Column, text: &str, room: usize) -> String {
    let breaks: &[char] = match column {
        Column::Text(_) => &[' '],
        Column::Path(_) => &['/', '-'],
        Column::Whole(_) | Column::Word(_) | Column::Number(_) => return text.to_owned(),
    };
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive(breaks) {
        let line = lines.last().map_or(0, |line| line.chars().count());
        let wanted = line + piece.trim_end().chars().count();
        if line > 0 && wanted > room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(piece);
        }
    }
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

fn header(column: Column) -> Cell {
    cell_aligned(column, Cell::new(column.header()).add_attribute(comfy_table::Attribute::Bold))
}

fn cell(column: Column, text: &str, room: Option<usize>) -> Cell {
    let shown = visible(text).replace('\n', " ");
    let cell = Cell::new(room.map_or_else(|| shown.clone(), |room| fold(column, &shown, room)));
    match column {
        Column::Word(_) => match color_of(text) {
            Some(color) => cell.fg(color),
            None => cell,
        },
        _ => cell_aligned(column, cell),
    }
}

fn cell_aligned(column: Column, cell: Cell) -> Cell {
    match column {
        Column::Number(_) => cell.set_alignment(comfy_table::CellAlignment::Right),
        _ => cell,
    }
}

/// The text without control characters but line breaks: what a script or a file says cannot steer
/// the terminal.
pub(crate) fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() && c != '\n' => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

fn color_of(word: &str) -> Option<Color> {
    let style = terminal::style_of(word);
    if style == terminal::style::GOOD {
        Some(Color::Green)
    } else if style == terminal::style::BAD {
        Some(Color::Red)
    } else if style == terminal::style::WARN {
        Some(Color::Yellow)
    } else if style == terminal::style::BUSY {
        Some(Color::Cyan)
    } else {
        None
    }
}

/// Prints rows under headers; without any, says `empty` on stderr instead.
pub(crate) fn print(columns: &[Column], rows: &[Vec<String>], empty: &str) -> std::io::Result<()> {
    if rows.is_empty() {
        terminal::say(empty);
        return Ok(());
    }
    terminal::data(&render(columns, rows, terminal::width()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: Option<u16>) -> String {
        let columns = [
            Column::Whole("RUN"),
            Column::Path("FLOW"),
            Column::Word("STATE"),
            Column::Whole("AGE"),
            Column::Number("TOOK"),
        ];
        let row = |flow: &str, state: &str, took: &str| {
            let id = "019a3b1c-0000-7000-8000-000000000001";
            [id, flow, state, "119s", took].map(str::to_owned).to_vec()
        };
        let rows = [
            row("homeops-financial/monitoring/alert-dispatcher", "succeeded", "9.1ms"),
            row("media/scan", "failed", "120ms"),
        ];
        anstream::adapter::strip_str(&render(&columns, &rows, width)).to_string()
    }

    #[test]
    fn a_table_in_a_pipe_is_one_line_a_row() {
        insta::assert_snapshot!(plain(None));
    }

    #[test]
    fn a_table_at_80_columns_keeps_ids_whole_and_folds_flows_at_slashes() {
        let shown = plain(Some(80));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn what_a_script_says_cannot_steer_the_terminal() {
        assert_eq!(visible("a\u{1b}[31mb\rc"), "a\u{fffd}[31mb\u{fffd}c");
    }
}
