//! Hermetic repositories, servers and runners for the tests of Signalbox
