//! The index of open payments, as those read it who want several of its shards as one: oldest first, page by page.

use std::collections::VecDeque;

use crate::{OpenPayments, StoreError};
use payments::index::{OpenKey, Shard};
use payments::time::Timestamp;

/// Several shards as one, oldest first. It holds a page of each at most.
#[derive(Debug)]
pub struct Merged<'a, O> {
    store: &'a O,
    lines: Vec<Line>,
    created_before: Timestamp,
    page: u32,
}

/// One shard of them.
#[derive(Debug)]
struct Line {
    shard: Shard,
    read: VecDeque<OpenKey>,
    after: Option<OpenKey>,
    is_over: bool,
}

impl<'a, O: OpenPayments> Merged<'a, O> {
    /// What was created before a time, read `page` payments of a shard at once.
    pub fn new(store: &'a O, shards: impl IntoIterator<Item = Shard>, created_before: Timestamp, page: u32) -> Self {
        let line = |shard| Line { shard, read: VecDeque::new(), after: None, is_over: false };
        Self { store, lines: shards.into_iter().map(line).collect(), created_before, page }
    }

    /// The next one; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<OpenKey>, StoreError> {
        for line in &mut self.lines {
            if line.read.is_empty() && !line.is_over {
                let page = self.store.open(line.shard, line.after.as_ref(), self.created_before, self.page).await?;
                match page.last() {
                    Some(last) => line.after = Some(last.clone()),
                    None => line.is_over = true,
                }
                line.read = page.into();
            }
        }
        let oldest = self.lines.iter_mut().filter(|line| !line.read.is_empty()).min_by(|one, another| {
            // Each holds one, so that none is taken for the oldest because it is empty.
            one.read.front().cmp(&another.read.front())
        });
        Ok(oldest.and_then(|line| line.read.pop_front()))
    }
}
