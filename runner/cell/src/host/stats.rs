//! `stats::*`: figures of a list of numbers. The same list gives the same figure to the last bit.

use rhai::{Array, Dynamic, Engine, Module, NativeCallContext};
use signalbox_core::codes::Code;

use super::{fail, placed};
use crate::context::work;
use crate::fault::HostResult;

/// What one number of a list costs, in bytes of a text.
const NUMBER: usize = 64;

/// A figure of numbers, of which there is at least one.
type Figure = fn(&[f64]) -> f64;
/// A figure at every number, over a window.
type Series = fn(&[f64], usize) -> Vec<f64>;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    let figures: [(&str, Figure); 4] =
        [("mean", mean), ("median", median), ("stddev", stddev), ("slope", slope)];
    for (name, figure) in figures {
        module.set_native_fn(name, move |ctx: NativeCallContext, list: Array| {
            placed(&ctx, || finite(figure(&some(&list)?)))
        });
    }
    module.set_native_fn("sum", |ctx: NativeCallContext, list: Array| placed(&ctx, || sum(&list)));
    module.set_native_fn("min", |ctx: NativeCallContext, list: Array| {
        placed(&ctx, || extreme(list, |this, best| this < best))
    });
    module.set_native_fn("max", |ctx: NativeCallContext, list: Array| {
        placed(&ctx, || extreme(list, |this, best| this > best))
    });
    module.set_native_fn("percentile", |ctx: NativeCallContext, list: Array, at: Dynamic| {
        placed(&ctx, || percentile(&some(&list)?, &at))
    });
    let series: [(&str, Series); 2] =
        [("moving_average", moving_average), ("exponential_average", exponential_average)];
    for (name, of) in series {
        module.set_native_fn(name, move |ctx: NativeCallContext, list: Array, width: i64| {
            placed(&ctx, || {
                let numbers = some(&list)?;
                let averages = of(&numbers, window(width)?).into_iter().map(finite);
                averages.map(|number| number.map(Dynamic::from)).collect::<HostResult<Array>>()
            })
        });
    }
    engine.register_static_module("stats", module.into());
}

/// The numbers of a list that is not empty.
fn some(list: &[Dynamic]) -> HostResult<Vec<f64>> {
    if list.is_empty() {
        return fail(Code::BadValue, "a figure of no numbers");
    }
    work(list.len().saturating_mul(NUMBER))?;
    list.iter().map(number).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures are floats, as with Rhai's own operators")]
fn number(value: &Dynamic) -> HostResult<f64> {
    match (value.as_float(), value.as_int()) {
        (Ok(number), _) if number.is_finite() => Ok(number),
        (Ok(number), _) => fail(Code::BadValue, format!("the number {number} is not finite")),
        (_, Ok(number)) => Ok(number as f64),
        (Err(found), Err(_)) => fail(Code::BadValue, format!("a {found} among the numbers")),
    }
}

fn finite(number: f64) -> HostResult<f64> {
    if number.is_finite() {
        return Ok(number);
    }
    fail(Code::BadValue, "numbers that are too large for a figure of them")
}

fn window(width: i64) -> HostResult<usize> {
    match usize::try_from(width) {
        Ok(width @ 1..) => Ok(width),
        _ => fail(Code::BadValue, format!("a window of {width}; it has at least 1")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no list has 2^52 numbers")]
fn count(numbers: &[f64]) -> f64 {
    numbers.len() as f64
}

fn mean(numbers: &[f64]) -> f64 {
    total(numbers.iter().copied()) / count(numbers)
}

/// Neumaier's sum: what the small ones lose to a large one is added at the end.
fn total(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for number in numbers {
        let next = sum + number;
        lost +=
            if sum.abs() >= number.abs() { (sum - next) + number } else { (number - next) + sum };
        sum = next;
    }
    sum + lost
}

fn median(numbers: &[f64]) -> f64 {
    quantile(numbers, 0.5)
}

/// Of the whole population: divided by how many there are.
fn stddev(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    let squares = numbers.iter().map(|number| (number - mean) * (number - mean));
    (total(squares) / count(numbers)).sqrt()
}

/// Of the straight line that fits best, per place in the list.
fn slope(numbers: &[f64]) -> f64 {
    let (mut at, middle) = (-1.0, (count(numbers) - 1.0) / 2.0);
    let (mut products, mut squares) = (0.0, 0.0);
    for number in numbers {
        at += 1.0;
        products += (at - middle) * number;
        squares += (at - middle) * (at - middle);
    }
    if squares > 0.0 { products / squares } else { 0.0 }
}

fn percentile(numbers: &[f64], at: &Dynamic) -> HostResult<f64> {
    let at = number(at)?;
    if !(0.0..=100.0).contains(&at) {
        return fail(Code::BadValue, format!("percentile {at}; there are those from 0 to 100"));
    }
    finite(quantile(numbers, at / 100.0))
}

/// Between two numbers of the sorted list by their distance (Hyndman and Fan's type 7, as in most
/// spreadsheets).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in the list, which is not negative"
)]
fn quantile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * (count(numbers) - 1.0);
    let below = sorted.get(place.floor() as usize).copied().unwrap_or_default();
    let above = sorted.get(place.ceil() as usize).copied().unwrap_or(below);
    below + (above - below) * place.fract()
}

/// Whole when all numbers are.
fn sum(list: &[Dynamic]) -> HostResult<Dynamic> {
    work(list.len().saturating_mul(NUMBER))?;
    let whole: Option<Vec<i64>> = list.iter().map(|value| value.as_int().ok()).collect();
    let Some(whole) = whole else {
        let numbers = list.iter().map(number).collect::<HostResult<Vec<_>>>()?;
        return finite(total(numbers.into_iter())).map(Dynamic::from);
    };
    match whole.into_iter().try_fold(0_i64, i64::checked_add) {
        Some(sum) => Ok(sum.into()),
        None => fail(Code::BadValue, "a sum that does not fit 64 bits"),
    }
}

/// The number itself, as it stands in the list; the first of equal ones.
fn extreme(list: Array, better: fn(f64, f64) -> bool) -> HostResult<Dynamic> {
    let numbers = some(&list)?;
    let mut best = 0;
    for (at, number) in numbers.iter().enumerate() {
        if better(*number, numbers[best]) {
            best = at;
        }
    }
    Ok(list.into_iter().nth(best).unwrap_or_default())
}

/// The mean of each number and those before it within the window. The first ones have fewer.
fn moving_average(numbers: &[f64], width: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let mut averages = Vec::with_capacity(numbers.len());
    for (at, number) in numbers.iter().enumerate() {
        sum += number;
        if at >= width {
            sum -= numbers[at - width];
        }
        averages.push(sum / count(&numbers[(at + 1).saturating_sub(width)..=at]));
    }
    averages
}

/// Each number weighs `2 / (width + 1)` against all before it.
fn exponential_average(numbers: &[f64], width: usize) -> Vec<f64> {
    let width = i32::try_from(width).map_or(f64::from(i32::MAX), f64::from);
    let weight = 2.0 / (width + 1.0);
    let mut averages = Vec::with_capacity(numbers.len());
    let mut average = numbers.first().copied().unwrap_or_default();
    for number in numbers {
        average += weight * (number - average);
        averages.push(average);
    }
    averages
}
