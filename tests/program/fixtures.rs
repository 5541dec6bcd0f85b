//! `mlango fixtures` and `simulate --fixtures`: recorded between a real gateway and the simulator,
//! played back, and answered from.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::api::{id_of, payout};
use crate::certificates::file;
use crate::house::{Done, House, free_port};
use crate::s_server;
use crate::wire::ask;

/// A collection that ships, from this project's own root.
fn shipped() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").display().to_string()
}

/// Every file below a folder, and what is packed in it as base64.
fn all_of(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        all.push_str(&path.display().to_string());
        if path.is_dir() {
            all.push_str(&all_of(&path));
            continue;
        }
        let text = fs::read_to_string(&path).expect("text");
        let is_packed = |c: char| c.is_ascii_alphanumeric() || "+/=\n".contains(c);
        for run in text.split(|c| !is_packed(c)).filter(|run| run.len() > 100) {
            let packed: String = run.split_whitespace().collect();
            let inner = STANDARD.decode(packed).unwrap_or_default();
            all.push_str(&String::from_utf8_lossy(&inner));
        }
        all.push_str(&text);
    }
    all
}

/// Nothing of the people and secrets of a house is in a recording.
fn assert_anonymous(house: &House, dir: &str) {
    let all = all_of(&house.path(dir));
    let secrets = ["token", "initiator_password", "sp_password", "initiator"];
    for secret in secrets.map(|key| house.written(key)) {
        assert!(!all.contains(&secret), "{secret} is in {dir}");
    }
    for hidden in ["722000345", "722000002", "Amina", "AMINA", "Otieno", "OTIENO", "INV-1"] {
        assert!(!all.contains(hidden), "{hidden} is in {dir}");
    }
}

fn names(house: &House, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(house.path(dir)).expect("a collection");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

/// Two payouts, one of which fails, with a proxy in both ways; the gateway is left running.
fn recorded(house: &mut House) -> (crate::process::Process, Vec<String>) {
    let (there, back) = (free_port(), free_port());
    house.set("BROKER__URL", &format!("http://127.0.0.1:{there}"));
    house.set("CALLBACKS__PUBLIC_URL", &format!("http://127.0.0.1:{back}"));
    let (mut simulator, gateway) = (house.simulate(), house.serve());
    let (listen, to) = (format!("127.0.0.1:{there}"), format!("http://127.0.0.1:{}", house.broker));
    let callbacks = format!("127.0.0.1:{back}=http://127.0.0.1:{}", house.callbacks);
    let mut proxy = house.start(&[
        "fixtures",
        "record",
        "--out",
        "rec",
        "--listen",
        &listen,
        "--to",
        &to,
        "--callbacks",
        &callbacks,
    ]);
    proxy.until("the proxy listens", |it| it.err().contains("recording from-mpesa").then_some(()));
    let api = house.client("payroll", &["payouts:write", "payouts:read"]);
    let paid = api.submit("k1", &payout("0722000345", "150"));
    api.until(id_of(&paid), "succeeded");
    let failed = api.submit("k2", &payout("0722000002", "150"));
    api.until(id_of(&failed), "failed");
    proxy.stop();
    simulator.stop();
    (gateway, [paid, failed].iter().map(|one| id_of(one).to_owned()).collect())
}

#[test]
fn what_passes_is_recorded_without_its_people_and_plays_back() {
    let mut house = House::new();
    let (gateway, ids) = recorded(&mut house);
    let names_of_proxy = names(&house, "rec");
    assert_eq!(names_of_proxy.len(), 4, "two requests, two results: {names_of_proxy:?}");
    for (name, part) in names_of_proxy.iter().zip(["0001", "0002", "0003", "0004"]) {
        assert!(name.starts_with(part), "{names_of_proxy:?}");
    }
    assert_anonymous(&house, "rec");
    house.run(&["fixtures", "check", "rec"]).done();

    // The same out of the book of the gateway that runs, and of the book alone.
    house.run(&["fixtures", "record", "--out", "one", "--about", &ids[0]]).done();
    assert_eq!(names(&house, "one").len(), 2, "{:?}", names(&house, "one"));
    house.run(&["fixtures", "record", "--out", "all", "--since", "2024-01-01"]).done();
    let names_of_book = names(&house, "all");
    assert_eq!(names_of_book.len(), 4, "{names_of_book:?}");
    for dir in ["one", "all"] {
        assert_anonymous(&house, dir);
        house.run(&["fixtures", "check", dir]).done();
    }
    let again = house.run(&["fixtures", "record", "--out", "all", "--since", "2024-01-01"]);
    again.failed(2, &["all is not empty"]);

    // Played against the gateway it says what it said; and where it would not, that is found.
    let to = format!("http://127.0.0.1:{}/cb/{}", house.callbacks, house.written("token"));
    for dir in ["rec", "all"] {
        let played = house.run(&["fixtures", "replay", dir, "--to", &to]);
        assert_eq!(played.code, 0, "{played:?}");
        assert!(played.err.contains("2 calls were acknowledged as recorded"), "{played:?}");
    }
    let result = names_of_proxy.iter().find(|name| name.contains("result")).expect("a result");
    let path = house.path(&format!("rec/{result}/response.xml"));
    let text = fs::read_to_string(&path).expect("an acknowledgement");
    fs::write(&path, text.replace("00000000", "0")).expect("changed");
    let played = house.run(&["fixtures", "replay", "rec", "--to", &to]);
    played.failed(1, &["1 of 2 acknowledgements differ from the recorded"]);
    let words =
        "/Envelope/Body/ResponseMsg/response/ResponseCode: recorded \"0\", came \"00000000\"";
    assert!(played.out.contains(words), "{}", played.out);
    let wrong = to.replace("/cb/", "/cb/00");
    let played = house.run(&["--json", "fixtures", "replay", "all", "--to", &wrong]);
    assert_eq!(played.code, 1, "{played:?}");
    assert!(played.out.contains("\"at\":\"HTTP status\""), "{}", played.out);
    assert!(!played.err.contains(&house.written("token")), "{}", played.err);
    let mut gateway = gateway;
    gateway.stop();

    house.run(&["fixtures", "record", "--out", "still", "--about", &ids[1]]).done();
    // Out of the book itself: its request, and its result, which came three times more since.
    assert_eq!(names(&house, "still").len(), 5, "{:?}", names(&house, "still"));
    assert_anonymous(&house, "still");
}

/// A result is recorded about one payout, and played about another.
#[test]
fn a_recorded_result_is_played_about_a_live_payout() {
    let mut house = House::new();
    let (mut gateway, _ids) = recorded(&mut house);
    // M-Pesa takes the next payout, and its result never comes.
    house.set("PAYOUTS__RESULT_OVERDUE", "10m");
    gateway.stop();
    let silent = house.simulate();
    house.set("BROKER__URL", &format!("http://127.0.0.1:{}", house.broker));
    let gateway = house.serve();
    let api = house.client("other", &["payouts:write", "payouts:read"]);
    let live = api.submit("k9", &payout("254700000005", "275"));
    let live = api.until(id_of(&live), "accepted");
    let name = live["originator_conversation_id"].as_str().expect("a name");
    let toml = |folder: &str| {
        fs::read_to_string(house.path(&format!("rec/{folder}/exchange.toml"))).expect("a TOML")
    };
    let folder = names(&house, "rec").into_iter().find(|it| toml(it).contains("\"paid: 0,"));
    let folder = folder.expect("a result that says paid");
    let recorded_id = |key: &str| {
        let (text, head) = (toml(&folder), format!("{key} = \""));
        let line = text.lines().find_map(|line| line.strip_prefix(&head)).expect(key);
        line.trim_end_matches('"').to_owned()
    };
    let conversation = live["conversation_id"].as_str().expect("M-Pesa's name");
    let ids = format!(
        "# recorded = live\n{} = {name}\n{} = {conversation}\n{} = UB5EX00001\n\
         254700771000 = 254700000005\n",
        recorded_id("originator_conversation_id"),
        recorded_id("conversation_id"),
        recorded_id("receipt"),
    );
    house.write("ids.txt", &ids);
    let to = format!("http://127.0.0.1:{}/cb/{}", house.callbacks, house.written("token"));
    let args =
        ["fixtures", "replay", "rec", "--to", &to, "--map", "ids.txt", "--only", folder.as_str()];
    // Of another amount than was recorded: a slip is told before anything is played.
    let slip = house.run(&[&args[..], &["--id", "15.00=275.00"]].concat());
    slip.failed(2, &["15.00=275.00: the recorded one stands in none of the calls"]);
    let unlike = house.run(&[&args[..], &["--id", "150.00=275"]].concat());
    unlike.failed(2, &["--id: \"150.00\" is an amount, and \"275\" is neither"]);
    house.run(&[&args[..], &["--id", "150.00=275.00"]].concat()).done();
    api.until(id_of(&live), "succeeded");
    drop((silent, gateway));
}

#[test]
fn a_simulator_answers_from_a_collection_and_its_results_follow() {
    let mut house = House::new();
    let (gateway, _ids) = recorded(&mut house);
    drop(gateway);
    // Another gateway, whose M-Pesa is what was recorded.
    let other = House::new();
    let rec = house.path("rec").display().to_string();
    let mut simulator = other.start(&["simulate", "--fixtures", &rec, "--fixtures-only"]);
    simulator.until("the simulator answers", |_| other.answers(other.broker));
    let said = "2 recorded requests are answered";
    simulator.until("it says how many", |it| it.err().contains(said).then_some(()));
    let _gateway = other.serve();
    let api = other.client("payroll", &["payouts:write", "payouts:read"]);
    for (key, phone, becomes) in
        [("a", "254700771000", "succeeded"), ("b", "254700000002", "failed")]
    {
        let made = api.submit(key, &payout(phone, "150"));
        api.until(id_of(&made), becomes);
    }
    assert!(other.ledger().is_empty(), "no money moved in the simulator's own book");
    // A second time: other receipts, so that nothing is paid twice over.
    let made = api.submit("c", &payout("254700771000", "150"));
    let again = api.until(id_of(&made), "succeeded");
    let first = api.payouts().into_iter().find(|one| one["status"] == "succeeded");
    assert_ne!(again["receipt"], first.expect("the first")["receipt"]);
    // What was never recorded is refused, and why is said.
    let body = "<a>x</a>";
    let told = ask(other.broker, "POST", "/mminterface/request", &[], body).expect("an answer");
    assert_eq!(told.status, 501, "{}", told.body);
    assert!(
        told.body.contains("no recorded exchange is like this request: the nearest, 0001"),
        "{}",
        told.body
    );
    assert_eq!(ask(other.broker, "GET", "/sim/ledger", &[], "").expect("an answer").status, 200);
}

#[test]
fn without_only_what_was_not_recorded_is_answered_as_ever() {
    let house = House::new();
    let mut simulator = house.start(&["simulate", "--fixtures", &shipped()]);
    simulator.until("the simulator answers", |_| house.answers(house.broker));
    let _gateway = house.serve();
    let api = house.client("payroll", &["payouts:write", "payouts:read"]);
    let made = api.submit("k", &payout("0722000345", "1500"));
    api.until(id_of(&made), "succeeded");
    assert_eq!(house.ledger().len(), 1, "the simulator's own money moved");
}

#[test]
fn a_faulty_collection_is_told_file_by_file() {
    let house = House::new();
    fs::create_dir_all(house.path("bad/one")).expect("a folder");
    house.write("bad/one/exchange.toml", "format = 1\nshow = \"x\"\n");
    let checked = house.run(&["fixtures", "check", "bad"]);
    assert_eq!(checked.code, 1, "{checked:?}");
    let line = "one/exchange.toml:2: show: is unknown; did you mean \"shows\"?";
    assert!(checked.out.contains(line), "{}", checked.out);
    for args in [
        ["fixtures", "replay", "bad", "--to", "http://127.0.0.1:1"],
        ["simulate", "--fixtures", "bad", "--seed", "1"],
    ] {
        let done = house.run(&args);
        done.failed(1, &[line, "bad: 6 faults; nothing was done"]);
    }
    house.run(&["fixtures", "check", "nowhere"]).failed(1, &["nowhere: 1 faults"]);
    let shipped = shipped();
    let refused: [(&[&str], &str); 5] = [
        (
            &["fixtures", "replay", &shipped, "--to", "gw:8081"],
            "is no address; expected one such as",
        ),
        (&["fixtures", "replay", &shipped, "--to", "http://gw", "--id", "a"], "has no ="),
        (&["fixtures", "record", "--out", "x"], "what is to be recorded?"),
        (&["fixtures", "record", "--out", "x", "--about", "abc"], "--about takes the ids"),
        (&["simulate", "--fixtures-only"], "--fixtures <DIR>"),
    ];
    for (args, words) in refused {
        house.run(args).failed(2, &[words]);
    }
    let none: Done = house.run(&[
        "fixtures",
        "replay",
        &shipped,
        "--to",
        "http://127.0.0.1:1",
        "--only",
        "soap-result-2040",
    ]);
    none.failed(1, &["1 of 1 acknowledgements differ"]);
    assert!(
        none.out.contains("HTTP status: recorded 200, came nobody answers there"),
        "{}",
        none.out
    );
}

/// Upstream over TLS, as brokers have it: known by its authority, and it wants to know who calls.
#[test]
fn a_proxy_shows_its_certificate_and_knows_the_broker_by_its_authority() {
    let house = House::new();
    let body = "{\"taken\":1}";
    let broker = s_server::broker("broker", &[], body);
    let pem = |name: &str| fs::read_to_string(file(name)).expect("make.sh made it");
    house.write("identity.pem", &(pem("client.pem") + &pem("client-key.pem")));
    let (ca, to) =
        (file("ca.pem").display().to_string(), format!("https://127.0.0.1:{}", broker.port));
    let ask_through = |dir: &str, more: &[&str]| {
        let listen = free_port();
        let at = format!("127.0.0.1:{listen}");
        let args = ["fixtures", "record", "--out", dir, "--listen", &at, "--to", &to];
        let mut proxy = house.start(&[&args[..], more].concat());
        let listens =
            |it: &crate::process::Process| it.err().contains("recording to-mpesa").then_some(());
        proxy.until("the proxy listens", listens);
        let told = ask(listen, "POST", "/x", &[], "{\"asked\":1}").expect("an answer");
        proxy.stop();
        (told.status, told.body)
    };
    let both = ["--ca", ca.as_str(), "--identity", "identity.pem"];
    assert_eq!(ask_through("rec", &both), (200, body.to_owned()));
    let heard = broker.request();
    assert!(heard.starts_with("POST /x HTTP/1.1\r\n"), "{heard}");
    assert!(heard.ends_with("{\"asked\":1}"), "{heard}");
    let name = names(&house, "rec").remove(0);
    let written = |what: &str| fs::read_to_string(house.path(&format!("rec/{name}/{what}")));
    assert_eq!(written("response.json").expect("an answer"), body);
    // Neither goes without the other: whoever trusts nobody, or is nobody, gets no answer.
    for (dir, more) in [("no-ca", &both[2..]), ("nobody", &both[..2])] {
        assert_eq!(ask_through(dir, more).0, 502, "{dir}");
    }
    assert!(broker.requests.try_recv().is_err(), "and nothing of theirs was heard");
}

#[test]
fn a_proxy_asks_for_plain_answers_and_leaves_out_what_is_compressed() {
    let house = House::new();
    let behind = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = behind.local_addr().expect("an address").port();
    let peer = std::thread::spawn(move || {
        let (stream, _) = behind.accept().expect("a call");
        let mut reader = std::io::BufReader::new(stream);
        let asked = crate::wire::Message::read(&mut reader).expect("a request");
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
            Content-Encoding: gzip\r\nContent-Length: 24\r\n\r\nrubbish with AminaOtieno";
        std::io::Write::write_all(reader.get_mut(), answer.as_bytes()).expect("sent");
        asked
    });
    let listen = free_port();
    let (at, to) = (format!("127.0.0.1:{listen}"), format!("http://127.0.0.1:{port}"));
    let mut proxy =
        house.start(&["fixtures", "record", "--out", "rec", "--listen", &at, "--to", &to]);
    proxy.until("the proxy listens", |it| it.err().contains("recording to-mpesa").then_some(()));
    let headers = [("Accept-Encoding", "gzip, br")];
    let told = ask(listen, "POST", "/x?key=AminaOtieno", &headers, "{}").expect("an answer");
    assert_eq!(told.body, "rubbish with AminaOtieno", "the client has it as it came");
    assert_eq!(peer.join().expect("it ended").header("accept-encoding"), None);
    let said = "the body of the answer is left out, as it came encoded (gzip)";
    proxy.until("it is said", |it| it.err().contains(said).then_some(()));
    proxy.stop();
    let all = all_of(&house.path("rec"));
    assert!(all.contains(said) && !all.contains("Amina"), "{all}");
}

#[test]
fn a_proxy_passes_everything_byte_for_byte() {
    let house = House::new();
    let behind = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = behind.local_addr().expect("an address").port();
    let answered = "\u{feff}<a>\r\n Zo\u{eb} </a>\n\n";
    let peer = std::thread::spawn(move || {
        let (stream, _) = behind.accept().expect("a call");
        let mut reader = std::io::BufReader::new(stream);
        let asked = crate::wire::Message::read(&mut reader).expect("a request");
        let head = format!(
            "HTTP/1.1 418 Odd\r\nX-Odd: yes\r\nContent-Type: text/odd\r\nContent-Length: {}\r\n\r\n",
            answered.len()
        );
        std::io::Write::write_all(reader.get_mut(), format!("{head}{answered}").as_bytes())
            .expect("sent");
        asked
    });
    let listen = free_port();
    let (at, to) = (format!("127.0.0.1:{listen}"), format!("http://127.0.0.1:{port}"));
    let mut proxy =
        house.start(&["fixtures", "record", "--out", "rec", "--listen", &at, "--to", &to]);
    proxy.until("the proxy listens", |it| it.err().contains("recording to-mpesa").then_some(()));
    let headers = [("SOAPAction", "\"\""), ("Authorization", "Bearer TopSecretToken12345")];
    let body = " {\"odd\" :\t1}\r\n";
    let told = ask(listen, "PUT", "/x/y?z=%20", &headers, body).expect("an answer");
    let asked = peer.join().expect("it ended");
    assert_eq!((told.status, told.body.as_str()), (418, answered));
    assert_eq!(told.header("x-odd"), Some("yes"));
    assert_eq!(asked.first_line, "PUT /x/y?z=%20 HTTP/1.1");
    assert_eq!(asked.body, body);
    assert_eq!(asked.header("authorization"), Some("Bearer TopSecretToken12345"));
    // Nobody is behind it any more: it says so, and that is recorded, too.
    let told = ask(listen, "POST", "/x", &[], "{}").expect("an answer");
    assert_eq!(told.status, 502, "{}", told.body);
    let long = "x".repeat(1024 * 1024 + 1);
    let told = ask(listen, "POST", "/x", &[], &long).map(|told| told.status);
    assert!(told.is_err() || matches!(told, Ok(413)), "{told:?}");
    proxy.stop();
    assert!(!all_of(&house.path("rec")).contains("TopSecret"), "headers that prove who one is");
    assert_eq!(names(&house, "rec").len(), 2);
}
