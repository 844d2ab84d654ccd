//! What is told to the outside: the payload of every event, and its form in the database.

use serde::{Deserialize, Serialize};

/// Written as JSON, since rows outlive the program that wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Notice {
    Placed {
        order: i64,
        customer: String,
    },
    Reserved {
        order: i64,
        item: String,
        count: u32,
        left: u32,
    },
}

impl Notice {
    pub(crate) fn topic(&self) -> &'static str {
        match self {
            Notice::Placed { .. } => "order.placed",
            Notice::Reserved { .. } => "stock.reserved",
        }
    }
}
