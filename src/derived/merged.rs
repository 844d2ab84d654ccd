//! One bus of the events of several.

use std::borrow::Borrow;

use crate::{Bus, Pattern};

impl<T: Send + Sync + 'static> Bus<T> {
    /// A bus of all events of several buses: the very same events, with all they carry.
    ///
    /// It has the settings of the first, and closes when the last of them has. The events of one emitting
    /// thread keep their order, from whichever bus they come; but of a batch that comes by several of the buses,
    /// each brings its part, one after the other. An event that comes by two of them comes once. Of no buses at all it is a closed one. Otherwise as [`filtered`](Bus::filtered).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let (disk, net) = (Bus::new(), Bus::new());
    /// let both = Bus::merged([&disk, &net]);
    /// let errors = both.subscribe("**.error")?;
    /// disk.emit("disk.error", "bad block")?;
    /// net.emit("net.error", "no route")?;
    /// drop((disk, net));
    /// assert_eq!(errors.iter().count(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "a derived bus ends when nobody uses it"]
    #[track_caller]
    pub fn merged<B: Borrow<Bus<T>>>(buses: impl IntoIterator<Item = B>) -> Bus<T> {
        let buses: Vec<B> = buses.into_iter().collect();
        let own;
        let first = match buses.first() {
            Some(first) => first.borrow(),
            None => {
                own = Bus::new();
                &own
            }
        };
        first.derive(|inlet| {
            // An error says that a bus is closed, and feeds nothing.
            let pass_on = |bus: &B| {
                let all = Pattern::everything();
                bus.borrow().pass_on(all, inlet, |_| true).ok()
            };
            buses.iter().filter_map(pass_on).collect::<Vec<_>>()
        })
    }
}
