//! The keys that histories are linked under, and what they make: links and tags.

use std::fmt;

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::id::lower;

/// Fewest bytes of a key: as many as the hash yields; fewer are "strongly discouraged" (RFC 2104, section 3).
pub const HISTORY_KEY_BYTES_MIN: usize = 32;

macro_rules! short {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Reads its lower-case base32.
            pub fn parse(text: &str) -> Option<Self> {
                if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    return None;
                }
                let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
                <[u8; $bytes]>::try_from(bytes).ok().map(Self)
            }

            /// The bytes of a hash from `start` on.
            fn of(digest: &[u8; 32], start: usize) -> Self {
                let mut bytes = [0; $bytes];
                for (byte, from) in bytes.iter_mut().zip(digest.iter().skip(start)) {
                    *byte = *from;
                }
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&lower(&BASE32_NOPAD, &self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

short!(
    /// Says which key a chain was made with, and nothing about the key.
    KeyId,
    3
);
short!(
    /// 128 bits over a line and all that came before it. The last one is the head.
    Link,
    16
);
short!(
    /// 40 other bits of the same hash, kept in the line, so that the first line that was changed can be named. They say
    /// nothing about the link: who cuts lines off cannot write the head that the rest would have.
    Tag,
    5
);

impl Link {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a hash is made for, so that one made for one purpose never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    KeyId,
    Beginning,
    Line,
    GapFrom,
    Gap,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::KeyId => b"sluice history 1 key id",
            Self::Beginning => b"sluice history 1 beginning",
            Self::Line => b"sluice history 1 line",
            Self::GapFrom => b"sluice history 1 gap from",
            Self::Gap => b"sluice history 1 gap",
        }
    }
}

/// Why a text holds no keys. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither base64 nor hex.
    #[error("key {number} is neither base64 nor hex")]
    Encoding {
        /// Which one, from 1.
        number: usize,
    },
    /// Too few bytes.
    #[error("key {number} has fewer than {HISTORY_KEY_BYTES_MIN} bytes")]
    TooShort {
        /// Which one, from 1.
        number: usize,
    },
    /// Two that cannot be told apart.
    #[error("key {number} is there twice")]
    Twice {
        /// Which one, from 1.
        number: usize,
    },
}

/// A key for histories. It is shown by nothing.
#[derive(Clone)]
pub struct HistoryKey {
    keyed: Hmac<Sha256>,
    check: [u8; 32],
}

impl HistoryKey {
    /// A key of so many bytes; `None` when they are too few.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HISTORY_KEY_BYTES_MIN {
            return None;
        }
        Hmac::new_from_slice(bytes).ok().map(Self::keyed)
    }

    /// A key of exactly as many bytes as are needed.
    pub fn of(bytes: &[u8; HISTORY_KEY_BYTES_MIN]) -> Self {
        // A shorter key is filled up with zeros to the hash's block (RFC 2104, section 2).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        for (byte, from) in block.iter_mut().zip(bytes) {
            *byte = *from;
        }
        Self::keyed(Hmac::new(&block))
    }

    fn keyed(keyed: Hmac<Sha256>) -> Self {
        let mut key = Self { keyed, check: [0; 32] };
        key.check = key.hash(Purpose::KeyId, &[]);
        key
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.check, 0)
    }

    /// Each part is prefixed with its length, so no two lists run together to the same bytes.
    pub(crate) fn hash(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        for part in std::iter::once(&purpose.label()).chain(parts) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The link that a hash yields.
    pub(crate) fn link(&self, purpose: Purpose, parts: &[&[u8]]) -> (Link, Tag) {
        let digest = self.hash(purpose, parts);
        (Link::of(&digest, 0), Tag::of(&digest, size_of::<Link>()))
    }
}

impl PartialEq for HistoryKey {
    fn eq(&self, other: &Self) -> bool {
        self.check == other.check
    }
}

impl Eq for HistoryKey {}

impl fmt::Debug for HistoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HistoryKey({}, not shown)", self.id())
    }
}

/// The key for new payments, and those of payments that began under an earlier one: a payment keeps its first key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryKeys {
    current: HistoryKey,
    earlier: Vec<HistoryKey>,
}

impl HistoryKeys {
    /// One key and no earlier ones.
    pub const fn one(current: HistoryKey) -> Self {
        Self { current, earlier: Vec::new() }
    }

    /// Reads keys in base64 or hex, separated by commas; the first is the current one. What consists of hex digits
    /// alone is hex.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.split(',').enumerate().map(|(index, part)| one_key(index.saturating_add(1), part.trim()));
        let mut keys = match parts.next() {
            Some(current) => Self::one(current?),
            None => return Err(KeyError::Encoding { number: 1 }),
        };
        for (index, key) in parts.enumerate() {
            let key = key?;
            if keys.with(key.id()).is_some() {
                return Err(KeyError::Twice { number: index.saturating_add(2) });
            }
            keys.earlier.push(key);
        }
        Ok(keys)
    }

    /// The key for new payments.
    pub const fn current(&self) -> &HistoryKey {
        &self.current
    }

    /// The key of this name.
    pub fn with(&self, id: KeyId) -> Option<&HistoryKey> {
        std::iter::once(&self.current).chain(&self.earlier).find(|key| key.id() == id)
    }
}

fn one_key(number: usize, text: &str) -> Result<HistoryKey, KeyError> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let decoded = if is_hex { HEXLOWER_PERMISSIVE.decode(text.as_bytes()) } else { BASE64.decode(text.as_bytes()) };
    let bytes = decoded.map_err(|_| KeyError::Encoding { number })?;
    HistoryKey::new(&bytes).ok_or(KeyError::TooShort { number })
}
