//! Bytes: the only place in the core where they are made and read. Every decoder is total: any bytes
//! give a value or an error, never a panic, never an allocation larger than the input allows.
