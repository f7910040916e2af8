//! Which version of an API a connection uses: the highest that the broker and this client have in common.

use std::ops::RangeInclusive;

use ringlane_wire::ApiKey;
use ringlane_wire::messages::ApiVersionsResponse;

/// The versions of a broker, by API, as it told at the start of the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    apis: Vec<(ApiKey, RangeInclusive<i16>)>,
    transaction_version: i16,
}

/// What this client speaks: the codec's versions, less those whose form its callers do not fill in. What is left is
/// served by every broker since Kafka 3.0.
pub(crate) fn spoken(api_key: ApiKey) -> RangeInclusive<i16> {
    let all = api_key.versions();
    let (first, last) = (*all.start(), *all.end());
    match api_key {
        // Topic ids are known from here on; Produce and Fetch need them (KIP-516).
        ApiKey::Metadata => 10..=last,
        // Version 10 names topics by id: a commit outlives the topic's id, so names are what a group wants.
        ApiKey::OffsetCommit => first..=9,
        ApiKey::OffsetFetch => 8..=9,
        // Above is what brokers say to each other (KIP-890).
        ApiKey::AddPartitionsToTxn => first..=3,
        // Several keys in one request (KIP-699).
        ApiKey::FindCoordinator => 4..=last,
        // The topics as a list of states (KIP-516).
        ApiKey::DeleteTopics => 6..=last,
        // The members as a list (KIP-345).
        ApiKey::LeaveGroup => 3..=last,
        _ => all,
    }
}

impl Versions {
    pub(crate) fn of(response: &ApiVersionsResponse<'_>) -> Self {
        let row = |api: &ringlane_wire::messages::api_versions::ApiVersion| {
            Some((ApiKey::from_code(api.api_key)?, api.min_version..=api.max_version))
        };
        let mut features = response.finalized_features.iter();
        let transaction_version = features.find(|feature| feature.name == "transaction.version");
        Self {
            apis: response.api_keys.iter().filter_map(row).collect(),
            transaction_version: transaction_version.map_or(0, |level| level.max_version_level),
        }
    }

    /// The level of the cluster's feature `transaction.version` (KIP-584, KIP-890).
    pub(crate) fn transaction_version(&self) -> i16 {
        self.transaction_version
    }

    /// What the broker has of an API.
    pub(crate) fn theirs(&self, api_key: ApiKey) -> Option<RangeInclusive<i16>> {
        self.apis.iter().find(|(key, _)| *key == api_key).map(|(_, range)| range.clone())
    }

    /// The highest version that both have.
    pub(crate) fn highest_common(&self, api_key: ApiKey) -> Option<i16> {
        let (ours, theirs) = (spoken(api_key), self.theirs(api_key)?);
        let version = *ours.end().min(theirs.end());
        (ours.contains(&version) && theirs.contains(&version)).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produce(theirs: RangeInclusive<i16>) -> Option<i16> {
        let apis = vec![(ApiKey::Produce, theirs)];
        Versions { apis, ..Versions::default() }.highest_common(ApiKey::Produce)
    }

    #[test]
    fn the_highest_common_version_is_taken() {
        let ours = spoken(ApiKey::Produce);
        assert_eq!(produce(0..=9), Some(9));
        assert_eq!(produce(5..=i16::MAX), Some(*ours.end()));
        assert_eq!(produce(0..=ours.start() - 1), None);
        assert_eq!(produce(ours.end() + 1..=i16::MAX), None);
        assert_eq!(Versions::default().highest_common(ApiKey::Fetch), None);
    }

    #[test]
    fn what_is_spoken_has_a_codec() {
        for &api_key in ApiKey::ALL {
            let (ours, all) = (spoken(api_key), api_key.versions());
            assert!(all.contains(ours.start()) && all.contains(ours.end()), "{api_key:?}");
            assert!(!ours.is_empty(), "{api_key:?}");
        }
    }
}
