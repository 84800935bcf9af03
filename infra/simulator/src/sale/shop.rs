//! Who buys what: the merchants of a sale and their payments, each of which follows from its number and the seed.

use payments::id::{MerchantId, OrderId, PaymentId};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::payment::{Kind, Lane};

use crate::sale::settings::Settings;

/// The whale's share of all payments, in thousandths: the merchant whose sale it is.
const WHALE_PERMILLE: u64 = 820;
/// Two large merchants beside it, each with this share.
const LARGE_PERMILLE: u64 = 80;
/// Twenty small ones, each with this share: together two fifths of what the provider takes, as on any other day.
const SMALL_PERMILLE: u64 = 1;

/// A kind of merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Whose sale it is.
    Whale,
    /// Sells much, too.
    Large,
    /// Sells what it always does.
    Small,
}

impl Size {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whale => "whale",
            Self::Large => "large",
            Self::Small => "small",
        }
    }
}

/// One merchant.
#[derive(Debug)]
pub(super) struct Seller {
    pub(super) record: Merchant,
    pub(super) key: String,
    pub(super) size: Size,
    permille: u64,
}

/// One payment as its merchant sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Purchase {
    pub(super) number: u32,
    pub(super) merchant: usize,
    pub(super) lane: Lane,
    amount: u64,
}

/// The merchants and what they sell.
#[derive(Debug)]
pub(super) struct Shop {
    seed: u64,
    pub(super) sellers: Vec<Seller>,
    arrivals_per_second: u64,
    payments: u64,
    high_permille: u64,
}

impl Shop {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut sellers = vec![seller("whale", Size::Whale, WHALE_PERMILLE)];
        sellers.extend((1..=2).map(|n| seller(&format!("large-{n}"), Size::Large, LARGE_PERMILLE)));
        sellers.extend((1..=20).map(|n| seller(&format!("small-{n:02}"), Size::Small, SMALL_PERMILLE)));
        Self {
            seed: settings.seed,
            sellers,
            arrivals_per_second: settings.scale.of(settings.arrivals_per_second),
            payments: settings.payments(),
            high_permille: settings.high_permille,
        }
    }

    /// How many payments there will be.
    pub(super) fn payments(&self) -> u32 {
        u32::try_from(self.payments).expect("a sale has fewer payments than 2^32")
    }

    /// How many of them have been sent this long after the sale's begin.
    pub(super) fn sent_by_us(&self, elapsed_us: u64) -> u32 {
        let sent = (elapsed_us * self.arrivals_per_second / 1_000_000).min(self.payments);
        u32::try_from(sent).expect("no more than all of them")
    }

    /// When a payment is sent, in microseconds after the sale's begin.
    pub(super) fn sent_at_us(&self, number: u32) -> u64 {
        (u64::from(number) + 1) * 1_000_000 / self.arrivals_per_second
    }

    /// The payment of this number.
    pub(super) fn purchase(&self, number: u32) -> Purchase {
        let mut dice = fastrand::Rng::with_seed(mixed(self.seed, u64::from(number)));
        let all: u64 = self.sellers.iter().map(|seller| seller.permille).sum();
        let mut drawn = dice.u64(0..all);
        let mut merchant = 0;
        while drawn >= self.sellers[merchant].permille {
            drawn -= self.sellers[merchant].permille;
            merchant += 1;
        }
        let lane = if dice.u64(0..1_000) < self.high_permille { Lane::High } else { Lane::Standard };
        Purchase { number, merchant, lane, amount: dice.u64(100..50_000) }
    }

    /// The request's body.
    pub(super) fn body(purchase: Purchase) -> String {
        let Purchase { number, lane, amount, .. } = purchase;
        let priority = match lane {
            Lane::High => r#","priority":"high""#,
            Lane::Standard => "",
        };
        format!(r#"{{"order_id":"{number}","kind":"charge","amount":{amount},"currency":"EUR"{priority}}}"#)
    }

    /// The payment's id.
    pub(super) fn id(&self, purchase: Purchase) -> PaymentId {
        let merchant = &self.sellers[purchase.merchant].record.merchant;
        PaymentId::derive(merchant, Kind::Charge, &order_id(purchase.number))
    }
}

/// Which payment an order is for.
pub(super) fn number_of(order_id: &OrderId) -> u32 {
    order_id.as_str().parse().expect("every order of a sale is a number")
}

/// Two numbers into one seed, so that neighbours have nothing in common (SplitMix64's finalizer).
pub(super) fn mixed(seed: u64, number: u64) -> u64 {
    let mut bits = seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn order_id(number: u32) -> OrderId {
    OrderId::new(number.to_string()).expect("a number is an order's id")
}

fn seller(name: &str, size: Size, permille: u64) -> Seller {
    let key = format!("sandbox_key_of_the_merchant_{}", name.replace('-', "_"));
    Seller {
        record: Merchant {
            limit: None,
            key_hash: ApiKeyHash::of(&key).expect("the key has the form of one"),
            merchant: MerchantId::new(name).expect("the name has the form of one"),
            unlinked_refunds: false,
            high_priority: true,
        },
        key,
        size,
        permille,
    }
}
