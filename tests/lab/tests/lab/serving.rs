//! The lab's server, and chaos.

use bitcoin::Amount;
use everett_lab::Lab;
use everett_lab::chaos::{Chaos, MAX_DEPTH, Stir};
use everett_proto::v1;
use everett_proto::v1::lab_service_client::LabServiceClient;
use everett_proto::v1::ledger_service_client::LedgerServiceClient;
use everett_proto::v1::script::Script as Named;
use everett_proto::v1::world_ref::Ref;

#[test]
fn clients_see_what_the_lab_does_and_the_lab_sees_what_they_do() {
    let lab = Lab::new(1);
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let ready = lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let paid = lab.mine(&ready, [payment]).unwrap();
    lab.reorg(1).unwrap();
    let server = lab.serve().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut ledger = LedgerServiceClient::connect(server.url()).await.unwrap();
        for (world, sat) in [(Some(paid.hash()), 100_000_000), (None, 0)] {
            let request = v1::GetBalanceRequest {
                world: world.map(|hash| v1::WorldRef {
                    r#ref: Some(Ref::BlockHash(hash.to_string())),
                }),
                script: Some(v1::Script {
                    script: Some(Named::ScriptPubkey(bob.script_pubkey().to_bytes())),
                }),
            };
            let answer = ledger.get_balance(request).await.unwrap().into_inner();
            assert_eq!(answer.balance.unwrap().confirmed_sat, sat);
        }
        let mut maker = LabServiceClient::connect(server.url()).await.unwrap();
        let request = v1::MineBlocksRequest {
            count: 2,
            ..v1::MineBlocksRequest::default()
        };
        maker.mine_blocks(request).await.unwrap();
    });
    assert_eq!(lab.best().height(), 104);
    let url = server.url();
    server.stop();
    runtime.block_on(async {
        assert!(
            LedgerServiceClient::connect(url).await.is_err(),
            "it is gone"
        );
    });
}

#[test]
fn many_labs_are_served_at_once_each_on_a_port_of_its_own() {
    let labs: Vec<Lab> = (0..4).map(Lab::new).collect();
    let servers: Vec<_> = labs.iter().map(|lab| lab.serve().unwrap()).collect();
    let mut ports: Vec<u16> = servers
        .iter()
        .map(|server| server.address().port())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 4);
}

#[test]
fn chaos_does_all_that_it_says_and_the_same_for_the_same_seed() {
    let run = |seed| {
        let mut chaos = Chaos::in_lab(Lab::new(seed));
        let stirred: Vec<_> = (0..250).map(|_| chaos.step().unwrap()).collect();
        (stirred, chaos.lab().best().hash())
    };
    let (stirred, best) = run(5);
    assert_eq!((&stirred, best), (&run(5).0, run(5).1));
    assert_ne!(best, run(6).1);
    let count =
        |wanted: &dyn Fn(Stir) -> bool| stirred.iter().filter(|one| wanted(one.kind)).count();
    assert_eq!(count(&|kind| kind == Stir::Prepared), 1);
    assert!(count(&|kind| kind == Stir::Extended) > 80);
    assert!(count(&|kind| kind == Stir::RivalExtended) > 5);
    assert!(count(&|kind| kind == Stir::Invalidated) > 1);
    assert!(count(&|kind| kind == Stir::Reconsidered) > 1);
    let depths: Vec<u32> = stirred
        .iter()
        .filter_map(|one| match one.kind {
            Stir::Forked { depth } => Some(depth),
            _ => None,
        })
        .collect();
    assert!(depths.len() > 30 && depths.iter().all(|depth| (1..=MAX_DEPTH).contains(depth)));
    let shallow = depths.iter().filter(|depth| **depth == 1).count();
    assert!(2 * shallow > depths.len() / 2, "about half have depth 1");
    assert!(stirred.iter().any(|one| one.undone > 1), "it reorganises");
    assert!(
        stirred.iter().any(|one| one.double_spends > 0),
        "it spends twice"
    );
    assert!(stirred.iter().map(|one| one.payments).sum::<usize>() > 50);
    for one in &stirred {
        assert!(one.to_string().contains("best height"));
    }
}
