//! The manifest model of Signalbox: parse, validate, contract check and plan
