//! The table of payments as a whole, gone through by a parallel scan.

use aws_sdk_dynamodb::types::AttributeValue;
use payments::pass::Part;
use payments::time::Timestamp;
use ports::{EndedPage, EndedPayments, PageEnd, StoreError};

use crate::item::{Item, from_item, number};
use crate::store::{DynamoStore, KEY};
use crate::verdict::{Attempts, store_error};

impl EndedPayments for DynamoStore {
    async fn to_forget(
        &self,
        part: Part,
        after: Option<&PageEnd>,
        now: Timestamp,
        most: u32,
    ) -> Result<EndedPage, StoreError> {
        let attempts = Attempts::default();
        let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        // Eventually consistent, which costs half: what is out of date fails the write's condition. Every item is read and
        // paid for; the filter only leaves out what is not sent over ("Scan").
        let output = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(whole(part.number))
            .total_segments(whole(part.of))
            .filter_expression("forget_at <= :now")
            .expression_attribute_values(":now", number(now.ms()))
            .set_exclusive_start_key(after.map(place))
            .limit(whole(most))
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await
            .map_err(|error| store_error("Scan", &error, &attempts))?;
        Ok(EndedPage {
            payments: output.items.unwrap_or_default().into_iter().map(from_item).collect(),
            next: output.last_evaluated_key.map(|key| page_end(&key)).transpose()?,
        })
    }
}

fn place(after: &PageEnd) -> Item {
    Item::from([(KEY.to_owned(), AttributeValue::S(after.0.clone()))])
}

fn page_end(key: &Item) -> Result<PageEnd, StoreError> {
    let id = key.get(KEY).and_then(|id| id.as_s().ok());
    id.cloned().map(PageEnd).ok_or_else(|| StoreError::Corrupt("a page of the table ends at no id".to_owned()))
}
