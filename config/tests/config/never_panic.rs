//! Whatever is written in a file, an argument or a request: the answer is a value or an error.

use std::collections::BTreeMap;

use ottla_config::resolve::alter::{Change, Operation, apply};
use ottla_config::resolve::{BrokerConfig, environment_key};
use ottla_config::{properties, topic, yaml};
use proptest::prelude::*;

use crate::tables;

/// Texts with what parsers look for strewn in.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\\".to_owned()),
        Just("\\u00".to_owned()),
        Just("\r\n".to_owned()),
        Just("=".to_owned()),
        Just(":".to_owned()),
        Just(",".to_owned()),
        Just("by_duration:P1T".to_owned()),
        Just("1@h:9".to_owned()),
        Just("é\u{1F600}".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Some key of a topic with some text.
fn topic_texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    let keys: Vec<&str> = topic::TABLE.iter().map(|def| def.key).collect();
    let key = prop_oneof![
        prop::sample::select(keys).prop_map(str::to_owned),
        hostile()
    ];
    let text = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        hostile()
    ];
    prop::collection::btree_map(key, text, 0..6)
}

proptest! {
    #[test]
    fn properties_files(text in hostile()) {
        let _ = properties::parse(&text);
    }

    #[test]
    fn yaml_files(text in hostile()) {
        let _ = yaml::parse(&text);
    }

    #[test]
    fn environment_names(name in hostile()) {
        let _ = environment_key(&format!("KAFKA_{name}"));
    }

    #[test]
    fn texts_of_any_key(text in hostile()) {
        for (_, table, _) in tables::all() {
            for def in table.iter() {
                if let Ok(value) = def.parse(&text) {
                    let _ = value.to_string();
                }
            }
        }
    }

    #[test]
    fn topics_with_any_texts(texts in topic_texts(), value in hostile(), operation in 0i8..4) {
        let broker = BrokerConfig::load([]).unwrap();
        let _ = broker.check_topic(&texts);
        let _ = broker.check_group(&texts);
        let _ = broker.check_broker(&texts, true);
        let _ = broker.describe_topic(&texts);
        let operation = Operation::from_wire_id(operation).unwrap();
        let change = Change { key: "cleanup.policy".to_owned(), operation, value: Some(value) };
        prop_assert!(apply(&topic::TABLE, &texts, &[change]).is_ok());
    }

    #[test]
    fn what_was_written_as_a_properties_file_is_read_back(pairs in prop::collection::vec(("[a-z.]{1,8}", "\\PC*"), 0..8)) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace(' ', "\\ ").replace('\t', "\\t");
        let text: String = pairs.iter().map(|(key, value)| format!("{key} = {}\n", escape(value))).collect();
        prop_assert_eq!(properties::parse(&text).unwrap(), pairs);
    }
}
