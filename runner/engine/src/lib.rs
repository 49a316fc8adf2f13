//! The engine of Signalbox: scheduler, dispatcher, supervisor of cells, effects and broker
