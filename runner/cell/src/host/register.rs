//! Every family of host functions, in one list.

use rhai::Engine;

use super::{
    base64, broker, connector, continue_as, csv, env, flow, hash, hmac, http, json, log, metrics,
    now, parallel, random, regex, response, run, secret, sleep, state, stats, step, text, time,
    toml, url, uuid, yaml,
};

/// Adds every host function to an engine.
pub(crate) fn register(engine: &mut Engine) {
    base64::register(engine);
    broker::register(engine);
    connector::register(engine);
    continue_as::register(engine);
    csv::register(engine);
    env::register(engine);
    flow::register(engine);
    hash::register(engine);
    hmac::register(engine);
    http::register(engine);
    json::register(engine);
    log::register(engine);
    metrics::register(engine);
    now::register(engine);
    parallel::register(engine);
    random::register(engine);
    regex::register(engine);
    response::register(engine);
    run::register(engine);
    secret::register(engine);
    sleep::register(engine);
    state::register(engine);
    stats::register(engine);
    step::register(engine);
    text::register(engine);
    time::register(engine);
    toml::register(engine);
    url::register(engine);
    uuid::register(engine);
    yaml::register(engine);
}
