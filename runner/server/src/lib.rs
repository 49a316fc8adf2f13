//! The HTTP interface of Signalbox: API, events and pages
