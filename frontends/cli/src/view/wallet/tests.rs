use super::*;

#[test]
fn what_a_wallet_missed_is_told_beside_what_it_has() {
    let whole = v1::Wallet {
        name: "savings".to_owned(),
        ..Default::default()
    };
    let lacking = v1::Wallet {
        missed_scan_from_height: Some(1),
        missed_scan_below_height: Some(100),
        ..whole.clone()
    };
    let texts = |wallet: v1::Wallet| {
        let listed = WalletsView {
            wallets: vec![wallet.clone().into()],
            unloaded: Vec::new(),
        };
        let balances = WalletBalancesView::from(v1::GetWalletResponse {
            wallet: Some(wallet),
            ..Default::default()
        });
        [listed.text(), balances.text()]
    };
    let line = "savings: the blocks from height 1 to 99 were pruned before they were looked into";
    assert!(
        texts(lacking.clone())
            .iter()
            .all(|text| text.contains(line))
    );
    assert!(!texts(whole).iter().any(|text| text.contains("pruned")));
    let told = serde_json::to_value(WalletView::from(lacking)).expect("an object");
    let missed = serde_json::json!({ "from_height": 1, "below_height": 100 });
    assert_eq!(told["missed_scan"], missed);
}
