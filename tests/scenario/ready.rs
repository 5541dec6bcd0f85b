//! Those that ship do what they say.

use mlango::sim::scenario::ready;

#[test]
fn each_is_in_order_and_called_what_its_file_is_called() {
    for name in ready::names() {
        let scenario =
            ready::scenario(name).expect(name).unwrap_or_else(|faults| panic!("{name}: {faults}"));
        assert_eq!(scenario.name, name);
        assert!(scenario.says.ends_with('.'), "{name}");
    }
    assert!(ready::scenario("nothing").is_none());
}
