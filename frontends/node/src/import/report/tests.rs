use super::*;

#[test]
fn too_many_problems_are_counted_but_not_kept() {
    let mut summary = Summary::new(Network::Regtest);
    for _ in 0..MAX_PROBLEMS + 3 {
        summary.report(Problem::new(ProblemKind::Garbage, "x"));
    }
    assert_eq!(summary.problems.len(), MAX_PROBLEMS);
    assert_eq!(summary.problems_not_listed, 3);
}

#[test]
fn copies_and_strays_leave_an_import_clean_and_damage_does_not() {
    let mut summary = Summary::new(Network::Regtest);
    summary.report(Problem::new(ProblemKind::Duplicate, "x"));
    summary.report(Problem::new(ProblemKind::UnknownParent, "x"));
    assert!(summary.clean());
    summary.report(Problem::new(ProblemKind::TornTail, "x"));
    assert!(!summary.clean());
}

#[test]
fn json_leaves_out_what_does_not_apply() {
    let flaw = Flaw::Garbage {
        offset: 7,
        length: 3,
    };
    let problem = Problem::of_flaw(&flaw, "a.dat".into(), Network::Regtest);
    let json = serde_json::to_value(&problem).unwrap();
    assert_eq!(json["kind"], "garbage");
    assert_eq!(json["file"], "a.dat");
    assert_eq!(
        (json["offset"].as_u64(), json["length"].as_u64()),
        (Some(7), Some(3))
    );
    assert!(json.get("hash").is_none());
}
