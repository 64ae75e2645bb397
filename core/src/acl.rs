//! Access control lists: which are taken (rule R31).
