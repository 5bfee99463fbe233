use super::*;
use std::io::Write;

const HEAD: &str = r#"{"geartrain-export":1,"origin":"o:1","made":"m","sections":["policies"]}"#;
const ITEM: &str = r#"{"kind":"policy","function":"f","values":{"paused":"true"}}"#;
const END: &str = r#"{"geartrain-export-end":1,"counts":{"policies":1,"jobs":0}}"#;

/// What a check says of a file with this content.
fn check(content: &str) -> Result<u64, String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    match Archive::check(file, "FILE") {
        Ok(archive) => {
            let mut items = 0;
            archive
                .each(|_, _, _| {
                    items += 1;
                    Ok(())
                })
                .unwrap();
            Ok(items)
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

#[test]
fn a_file_cut_anywhere_is_noticed_before_anything_is_handed_out() {
    let whole = format!("{HEAD}\n{ITEM}\n{END}\n");
    assert_eq!(check(&whole), Ok(1));
    for len in 0..whole.len() - 1 {
        let error = check(&whole[..len]).expect_err("a part of it is not whole");
        assert!(error.starts_with("FILE"), "{error}");
    }
    assert_eq!(check(whole.trim_end()), Ok(1), "the last line feed says nothing");
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_what_would_be_right() {
    let newer = HEAD.replace(":1,", ":2,");
    for (content, expected) in [
        (
            String::new(),
            "FILE is empty (right: a file that gearadmin export wrote, which begins with {\"geartrain-export\":1,...})",
        ),
        (
            "hello\n".to_owned(),
            "FILE: line 1 is not the head of an export (right: {\"geartrain-export\":1,...}, as gearadmin export writes it)",
        ),
        (
            newer,
            "FILE: line 1 has version 2 of the export, and this gearadmin reads up to 1 (hint: use the gearadmin of the newer server)",
        ),
        (
            format!("{HEAD}\n{ITEM}\n"),
            "FILE ends behind line 2 without its last line {\"geartrain-export-end\":...}: it was cut off, and nothing of it is taken in (hint: copy or export it again)",
        ),
        (
            format!("{HEAD}\n{ITEM}\n{{\"kind\":\"pol"),
            "FILE: line 3 is cut off: the file is not whole (hint: copy or export it again)",
        ),
        (
            format!("{HEAD}\n{{\"kind\":\"planet\"}}\n{END}\n"),
            "FILE: line 2 is not an item of an export: unknown variant `planet`, expected one of `policy`, `schedule`, `job`",
        ),
        (
            format!("{HEAD}\n{END}\n"),
            "FILE: line 2 counts 1 items and the file has 0: lines were lost or added (hint: copy or export it again)",
        ),
        (
            format!("{HEAD}\n{ITEM}\n{ITEM}\n{END}\n"),
            "FILE: line 4 counts 1 items and the file has 2: lines were lost or added (hint: copy or export it again)",
        ),
        (
            format!("{HEAD}\n{ITEM}\n{END}\n{HEAD}\n"),
            "FILE: line 4 stands behind the end of the export (hint: one export a file)",
        ),
    ] {
        assert_eq!(check(&content), Err(expected.to_owned()));
    }
}
