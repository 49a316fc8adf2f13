//! The table of host functions against what is registered.

use std::collections::BTreeSet;

use signalbox_core::host::ALL;

use super::{Runner, run};

#[test]
fn every_example_gives_what_it_says() {
    for function in ALL {
        for example in function.examples {
            let record = Runner::new().evaluate(&run(example.code));
            assert_eq!(record.json(), example.result, "{}: {}", function.name, example.code);
        }
    }
}

#[test]
fn the_table_has_every_registered_function_and_no_other() {
    let mut with_host = rhai::Engine::new_raw();
    crate::host::register(&mut with_host);
    let registered = with_host.collect_fn_metadata(
        None,
        |info| {
            let name = &info.metadata.name;
            let method = info.metadata.param_types.first().is_some_and(|first| {
                [
                    std::any::TypeId::of::<crate::value::Response>(),
                    std::any::TypeId::of::<crate::value::Secret>(),
                ]
                .contains(first)
                    || *first == crate::host::connector_type()
            });
            match info.namespace.as_str() {
                _ if method => None,
                "" => Some(name.to_string()),
                namespace => Some(format!("{namespace}::{name}")),
            }
        },
        true,
    );
    let registered: BTreeSet<_> = registered.iter().map(String::as_str).collect();
    let documented: BTreeSet<_> = ALL.iter().map(|function| function.name).collect();
    assert_eq!(registered, documented);
}
