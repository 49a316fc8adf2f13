//! git repository to revision: the source of every definition
