//! Benchmarks of Signalbox beside the raw limits of the machine
