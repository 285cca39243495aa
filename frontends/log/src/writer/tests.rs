use super::*;
use crate::frame::encode;

fn frame(text: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(text, &mut frame);
    frame
}

fn config(directory: &std::path::Path) -> LogConfig {
    LogConfig {
        directory: directory.join("log"),
        file_bytes: 100,
        files: 3,
    }
}

#[test]
fn a_file_is_full_and_the_next_one_begins_and_the_oldest_goes() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = Files::open(config(directory.path())).unwrap();
    // 52 bytes each: one a file.
    let frames: Vec<Vec<u8>> = (0..10u8).map(|byte| frame(&[byte; 40])).collect();
    assert_eq!(files.write(&frames).unwrap(), 10);
    let kept = list(&directory.path().join("log")).unwrap();
    let numbers: Vec<u64> = kept.iter().map(|file| file.number).collect();
    assert_eq!(numbers, [8, 9, 10]);
    for file in &kept {
        assert_eq!(std::fs::metadata(&file.path).unwrap().len(), 52);
    }
    // Opened again it goes on in the last file, and a record that is longer than a file has one of its own.
    drop(files);
    let mut files = Files::open(config(directory.path())).unwrap();
    files
        .write(&[frame(&[1; 10]), frame(&[2; 500]), frame(&[3; 10])])
        .unwrap();
    let lengths: Vec<u64> = list(&directory.path().join("log"))
        .unwrap()
        .iter()
        .map(|file| std::fs::metadata(&file.path).unwrap().len())
        .collect();
    assert_eq!(lengths, [74, 512, 22]);
}

#[test]
fn what_is_no_log_stays() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    std::fs::create_dir(&log).unwrap();
    std::fs::write(log.join("notes.txt"), "mine").unwrap();
    std::fs::write(log.join("everett-x.log"), "mine").unwrap();
    let mut files = Files::open(config(directory.path())).unwrap();
    let frames: Vec<Vec<u8>> = (0..10u8).map(|byte| frame(&[byte; 90])).collect();
    files.write(&frames).unwrap();
    assert!(log.join("notes.txt").exists() && log.join("everett-x.log").exists());
}

#[test]
fn a_closed_log_writes_what_waits_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::new();
    sink.open();
    let body = everett_proto::v1::log_record::Body::RecordsDropped(Default::default());
    let last = sink.put(body).unwrap();
    sink.close();
    run(&sink, Files::open(config(directory.path())).unwrap());
    assert_eq!(*sink.written().borrow(), last);
}
