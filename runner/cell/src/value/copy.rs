//! Copies that share nothing with what they are copies of.

use std::collections::HashMap;

use rhai::{Array, Dynamic, FnPtr, Map};
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::value::MAX_DEPTH;

/// Copies closures with what they captured. Rhai lets closures share captured variables: two that
/// share one share its copy.
#[derive(Default)]
pub(crate) struct Copier {
    /// Copies of shared values, by where the values are.
    shared: HashMap<usize, Dynamic>,
}

impl Copier {
    /// A closure with copies of what it captured.
    ///
    /// # Errors
    /// A captured value is nested too deep, or is being changed.
    pub(crate) fn closure(&mut self, closure: &FnPtr) -> Result<FnPtr, Failure> {
        self.closure_at(closure, 0)
    }

    fn closure_at(&mut self, closure: &FnPtr, depth: usize) -> Result<FnPtr, Failure> {
        let captured = closure.curry().iter().map(|value| self.value(value, depth + 1));
        let captured = captured.collect::<Result<Vec<_>, _>>()?;
        let mut copy = closure.clone();
        copy.set_curry(captured);
        Ok(copy)
    }

    fn value(&mut self, value: &Dynamic, depth: usize) -> Result<Dynamic, Failure> {
        if depth > MAX_DEPTH {
            let message = format!("a captured value is nested deeper than {MAX_DEPTH}");
            return Err(Failure::permanent(Code::BadValue, message));
        }
        if value.is_shared() {
            return self.shared(value, depth);
        }
        if let Some(items) = value.read_lock::<Array>() {
            let items = items.iter().map(|item| self.value(item, depth + 1));
            return Ok(Dynamic::from_array(items.collect::<Result<_, _>>()?));
        }
        if let Some(map) = value.read_lock::<Map>() {
            let pairs =
                map.iter().map(|(key, item)| Ok((key.clone(), self.value(item, depth + 1)?)));
            return Ok(Dynamic::from_map(pairs.collect::<Result<_, Failure>>()?));
        }
        if let Some(closure) = value.read_lock::<FnPtr>() {
            return Ok(self.closure_at(&closure, depth)?.into());
        }
        Ok(value.clone())
    }

    fn shared(&mut self, value: &Dynamic, depth: usize) -> Result<Dynamic, Failure> {
        let Some(inside) = value.read_lock::<Dynamic>() else {
            let message = "a captured value is being changed at this moment";
            return Err(Failure::permanent(Code::BadValue, message));
        };
        let place = std::ptr::from_ref::<Dynamic>(&inside) as usize;
        if let Some(copy) = self.shared.get(&place) {
            return Ok(copy.clone());
        }
        // A closure may have captured itself: its copy is known before it is made.
        let mut copy = Dynamic::UNIT.into_shared();
        self.shared.insert(place, copy.clone());
        let made = self.value(&inside, depth)?;
        if let Some(mut target) = copy.write_lock::<Dynamic>() {
            *target = made;
        }
        Ok(copy)
    }
}
