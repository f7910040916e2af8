//! DescribeCluster (KIP-700, KIP-919): the brokers. An administrator counts machines, so a broker is named once, whatever
//! addresses its cores have.

use ringlane_wire::ErrorCode;
use ringlane_wire::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use super::{Handled, Request};

/// KIP-919: the request asks for brokers, not controllers.
const BROKERS: i8 = 1;

pub(super) async fn handle(request: Request) -> Handled {
    let message: DescribeClusterRequest = request.decode()?;
    let image = request.shard.image.current();
    if message.endpoint_type != BROKERS {
        return request.answer(&DescribeClusterResponse {
            error_code: ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            error_message: Some("The request was sent to an endpoint of the wrong type."),
            endpoint_type: BROKERS,
            ..Default::default()
        });
    }
    let shown = image.brokers().filter(|broker| message.include_fenced_brokers || !broker.fenced);
    let brokers = shown.filter_map(|broker| {
        let endpoint = broker.endpoints.first()?;
        Some(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: &endpoint.host,
            port: i32::from(endpoint.port),
            rack: broker.rack.as_deref(),
            is_fenced: broker.fenced,
        })
    });
    request.answer(&DescribeClusterResponse {
        cluster_id: image.cluster_id(),
        controller_id: request.shard.broker().0,
        brokers: brokers.collect(),
        ..Default::default()
    })
}
