//! Array functions of Rhai that call back in an order that is nobody's business: sorting and
//! removing duplicates. Here the order is fixed, errors of the callback are not swallowed, and
//! effects inside are refused.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use crate::context::without_effects;
use crate::fault::{HostResult, NOWHERE};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("sort", sort).register_fn("sort_by", sort);
    engine.register_fn("order", order).register_fn("order_by", order);
    engine.register_fn("dedup", dedup);
}

fn order(ctx: NativeCallContext, array: &mut Array, compare: FnPtr) -> HostResult<Array> {
    let mut copy = array.clone();
    sort(ctx, &mut copy, compare)?;
    Ok(copy)
}

#[expect(clippy::needless_pass_by_value, reason = "the form of a native function")]
fn sort(ctx: NativeCallContext, array: &mut Array, compare: FnPtr) -> HostResult<()> {
    let less_or_equal = |a: &Dynamic, b: &Dynamic| {
        let answer: Dynamic = compare.call_within_context(&ctx, (a.clone(), b.clone()))?;
        Ok(ordering(&answer)? != Ordering::Greater)
    };
    without_effects("the comparer of a sort", || merge_sort(array, &less_or_equal))
}

/// What a comparer's answer means: a number below, at or above zero, or whether the first goes
/// before the second.
fn ordering(answer: &Dynamic) -> HostResult<Ordering> {
    match (answer.as_int(), answer.as_bool()) {
        (Ok(number), _) => Ok(number.cmp(&0)),
        (_, Ok(true)) => Ok(Ordering::Less),
        (_, Ok(false)) => Ok(Ordering::Greater),
        _ => {
            let message =
                format!("a comparer returns a number or a truth value, not {}", answer.type_name());
            Err(EvalAltResult::ErrorRuntime(message.into(), NOWHERE).into())
        }
    }
}

/// A stable merge sort, bottom up. Unlike the library's, it makes the same comparisons in every
/// version and does not mind a comparer that contradicts itself.
fn merge_sort(
    array: &mut Array,
    less_or_equal: &impl Fn(&Dynamic, &Dynamic) -> HostResult<bool>,
) -> HostResult<()> {
    let mut width = 1;
    while width < array.len() {
        let mut merged = Array::with_capacity(array.len());
        for pair in array.chunks(width * 2) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([first, left_rest @ ..], [second, right_rest @ ..]) = (left, right) {
                if less_or_equal(first, second)? {
                    merged.push(first.clone());
                    left = left_rest;
                } else {
                    merged.push(second.clone());
                    right = right_rest;
                }
            }
            merged.extend(left.iter().chain(right).cloned());
        }
        *array = merged;
        width *= 2;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the form of a native function")]
fn dedup(ctx: NativeCallContext, array: &mut Array, same: FnPtr) -> HostResult<()> {
    without_effects("the comparer of a dedup", || {
        let mut kept = Array::with_capacity(array.len());
        for item in array.iter() {
            let repeated = match kept.last() {
                Some(last) => {
                    let args = (item.clone(), Dynamic::clone(last));
                    compare_same(&same.call_within_context(&ctx, args)?)?
                }
                None => false,
            };
            if !repeated {
                kept.push(item.clone());
            }
        }
        *array = kept;
        Ok(())
    })
}

fn compare_same(answer: &Dynamic) -> HostResult<bool> {
    answer.as_bool().map_err(|found| {
        let message = format!("a comparer returns a truth value, not {found}");
        EvalAltResult::ErrorRuntime(message.into(), NOWHERE).into()
    })
}
