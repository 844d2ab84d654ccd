//! Messages that came by several subscriptions, in the order in which they were sent.
//!
//! The client has a channel for each subscription, and what came on the connection in one order lies in several
//! of them. All that lies there is taken at once: nothing that came earlier can then come later. Of that, the
//! messages of each other bridge are put in the order of their numbers; each of the places that they
//! have together is taken by one of them. Messages without numbers, those of plain clients, stay where they are: what
//! came by one subscription is in order anyway.

use std::collections::{HashMap, VecDeque};

use async_nats::{HeaderMap, Message};

use super::envelope::Envelope;

/// Puts messages in order that were taken from one subscription after the other.
pub(super) fn in_order(taken: Vec<Message>) -> VecDeque<Message> {
    let mut places: HashMap<&str, Vec<(u64, usize)>> = HashMap::new();
    for (place, message) in taken.iter().enumerate() {
        if let Some((origin, order)) = message.headers.as_ref().and_then(order_of) {
            places.entry(origin).or_default().push((order, place));
        }
    }
    // Which of them stands where.
    let mut order: Vec<usize> = (0..taken.len()).collect();
    for mut ours in places.into_values().filter(|ours| !ours.is_sorted()) {
        let free: Vec<usize> = ours.iter().map(|&(_, place)| place).collect();
        ours.sort_unstable();
        for (place, (_, message)) in free.into_iter().zip(ours) {
            if let Some(stands) = order.get_mut(place) {
                *stands = message;
            }
        }
    }
    let mut taken: Vec<Option<Message>> = taken.into_iter().map(Some).collect();
    let stands = |from: usize| taken.get_mut(from).and_then(Option::take);
    order.into_iter().filter_map(stands).collect()
}

/// Whose it is, and which of its messages. Where nothing says the latter the number does: then the origin has one
/// export pattern. What is no number is none: that the header is malformed is for others to say.
fn order_of(headers: &HeaderMap) -> Option<(&str, u64)> {
    let mut words = headers.get(Envelope::ORIGIN)?.as_str().split(' ');
    let (origin, number) = (words.next()?, words.next()?);
    let order = words.nth(1).unwrap_or(number);
    Some((origin, order.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(origin: Option<&str>, text: &str) -> Message {
        let mut map = HeaderMap::new();
        if let Some(origin) = origin {
            map.insert(Envelope::ORIGIN, origin);
        }
        Message {
            subject: "n".into(),
            reply: None,
            payload: text.to_owned().into(),
            headers: (!map.is_empty()).then_some(map),
            status: None,
            description: None,
            length: 0,
        }
    }

    fn sent(origin: &str, order: u64) -> Message {
        let text = format!("{origin}{order}");
        message(Some(&format!("{origin} 1 n {order}")), &text)
    }

    fn order(taken: Vec<Message>) -> Vec<String> {
        let text = |message: Message| String::from_utf8(message.payload.to_vec()).unwrap();
        in_order(taken).into_iter().map(text).collect()
    }

    #[test]
    fn the_messages_of_each_bridge_are_put_in_order_and_others_stay_where_they_are() {
        let taken = vec![
            sent("a", 2),
            message(None, "plain"),
            sent("b", 7),
            sent("a", 5),
            sent("b", 6),
            sent("a", 1),
            message(Some("a 1 n x"), "bad"),
            message(Some("a"), "none"),
            sent("a", 4),
        ];
        let wanted = ["a1", "plain", "b6", "a2", "b7", "a4", "bad", "none", "a5"];
        assert_eq!(order(taken), wanted);
        assert_eq!(order(Vec::new()), Vec::<String>::new());
    }

    #[test]
    fn the_number_of_the_only_export_pattern_is_the_order() {
        let numbered = |number: &str| message(Some(&format!("a {number} **")), number);
        let taken = ["10", "12", "9"].map(numbered).into();
        assert_eq!(order(taken), ["9", "10", "12"]);
    }

    #[test]
    fn two_of_the_same_number_keep_their_order() {
        let taken = vec![
            sent("a", 2),
            message(Some("a 1 n 1"), "first"),
            sent("a", 1),
        ];
        assert_eq!(order(taken), ["first", "a1", "a2"]);
    }
}
