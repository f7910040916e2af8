//! ListGroups (KIP-518, KIP-848): the groups that this broker coordinates.

use std::rc::Rc;

use ringlane_wire::messages::list_groups::{
    ListGroupsRequest, ListGroupsResponse, ListedGroup,
};

use super::{Handled, Request};
use crate::group;
use crate::group::Effects;
use crate::shard::Shard;

pub(super) async fn handle(request: Request) -> Handled {
    let shard = request.shard.clone();
    let message: ListGroupsRequest = request.decode()?;
    let owned = |filter: &[&str]| filter.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (states, types) = (owned(&message.states_filter), owned(&message.types_filter));
    let list = move |shard: &Rc<Shard>| std::future::ready(list_here(shard, &states, &types));
    let listed: Vec<group::ListedGroup> =
        shard.router.call_all(&shard, list).await.into_iter().flatten().collect();
    let groups = listed.iter().map(|group| ListedGroup {
        group_id: &group.group_id,
        protocol_type: &group.protocol_type,
        group_state: group.state.as_str(),
        group_type: group.group_type,
    });
    request.answer(&ListGroupsResponse { groups: groups.collect(), ..Default::default() })
}

fn list_here(shard: &Shard, states: &[String], types: &[String]) -> Vec<group::ListedGroup> {
    let states: Vec<&str> = states.iter().map(String::as_str).collect();
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    for coordinator in shard.coordinators.loaded() {
        let listed = coordinator.with(|groups, _| (groups.list(&states, &types), Effects::default()));
        all.extend(listed.unwrap_or_default());
    }
    all
}
