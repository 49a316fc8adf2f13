//! Values at the border of Rhai. Whatever no [`Value`](signalbox_core::Value) holds exactly is
//! refused.

mod convert;
mod copy;
mod response;
mod secret;

pub(crate) use convert::{misused, refuse_secrets, to_dynamic, to_value};
pub(crate) use copy::Copier;
pub(crate) use response::Response;
pub(crate) use secret::Secret;
