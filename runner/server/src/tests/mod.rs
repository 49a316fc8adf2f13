//! The whole server on a real engine and a real store, over sockets. Nothing is evaluated here: the
//! one workspace may run nothing, so that accepted runs stay queued.

mod access;
mod description;
mod fixture;
mod pages;
mod requests;
mod runs;
mod streams;
mod webhooks;
mod workspaces;
