use super::*;

const HEADER: &str = "order_id,kind,merchant,customer,amount,currency,at\n";

fn read_text(text: &str) -> Transactions {
    read(text.as_bytes(), &[]).unwrap()
}

/// Why a file whose header is broken is not read.
fn refused(bytes: &[u8]) -> String {
    read(bytes, &[]).map(|read| format!("{read:?}")).unwrap_err().to_string()
}

#[test]
fn a_zero_amount_is_read_because_ingest_has_to_refuse_it() {
    let read = read_text(&format!("{HEADER}1,charge,eire,,0,GBP,\n"));
    assert_eq!(read.rows[0].amount, 0);
    assert_eq!(read.rows[0].optional, BTreeMap::new());
    assert_eq!(read.bad, []);
}

/// Each line stands between two good ones, which it must not cost. What it says is what its reason must hold.
#[test]
fn a_malformed_line_is_named_is_no_payment_and_costs_no_other() {
    let cases: [(&[u8], &str); 41] = [
        (b"DC1,charge,eire,,19,99,EUR,", "8 fields where the header has 7"),
        (b"DC1,charge,eire,,1,999,GBP,", "8 fields"),
        (b"DC1,charge,eire,,19.99,GBP", "6 fields where the header has 7"),
        (b"DC1", "1 fields"),
        (b"DC1,charge,eire,,1999,GBP,x,", "8 fields"),
        (b"DC1;charge;eire;;1999;GBP;", "1 fields"),
        (b"DC1,charge,eire,,19.99,GBP,", "amount must be a whole number of minor units"),
        (b"DC1,charge,eire,,\"19,99\",GBP,", "amount must be"),
        (b"DC1,charge,eire,,\"1,999\",GBP,", "amount must be"),
        (b"DC1,charge,eire,,1e3,GBP,", "amount must be"),
        (b"DC1,charge,eire,,+5,GBP,", "amount must be"),
        (b"DC1,charge,eire,,-5,GBP,", "amount must be"),
        (b"DC1,charge,eire,,0x1F,GBP,", "amount must be"),
        (b"DC1,charge,eire,,1_000,GBP,", "amount must be"),
        (b"DC1,charge,eire,,1 999,GBP,", "amount must be"),
        ("DC1,charge,eire,,1\u{a0}999,GBP,".as_bytes(), "amount must be"),
        ("DC1,charge,eire,,１９,GBP,".as_bytes(), "amount must be"),
        ("DC1,charge,eire,,€19,GBP,".as_bytes(), "amount must be"),
        (b"DC1,charge,eire,,\" 19\",GBP,", "amount must be"),
        (b"DC1,charge,eire,,0199,GBP,", "amount begins with 0"),
        (b"DC1,charge,eire,,00,GBP,", "amount begins with 0"),
        (b"DC1,charge,eire,,18446744073709551616,GBP,", "amount is above 18446744073709551615"),
        (b"DC1,charge,eire,,,GBP,", "amount is missing"),
        (b"DC1,charge,eire,,  ,GBP,", "amount is missing"),
        (b"DC1,charge,eire,,\"\",GBP,", "amount is missing"),
        (b",charge,eire,,5,GBP,", "order_id is missing"),
        (b"DC1,charge,eire,,5,,", "currency is missing"),
        (b",,,,,,", "order_id is missing"),
        (b"DC1,Charge,eire,,5,GBP,", "kind must be"),
        (b"DC1,gift,eire,,5,GBP,", "kind must be"),
        (b"DC1,charge,Eire,,5,GBP,", "merchant must consist of"),
        (b"DC 1,charge,eire,,5,GBP,", "order_id must consist of"),
        (b"\xef\xbb\xbfDC1,charge,eire,,5,GBP,", "order_id holds U+FEFF"),
        ("DC1,charge,eire,7\u{200b},5,GBP,".as_bytes(), "customer holds U+200B"),
        (b"DC1,charge,eire,\xff\xfe,5,GBP,", "customer is not UTF-8"),
        (b"DC1,charge,eire,\xc9\xfa,5,GBP,", "customer is not UTF-8"),
        (b"DC1,charge,eire,,5\x00,GBP,", "NUL"),
        (b"DC1,charge,eire,\"7,5,GBP,", "a quote is opened and not closed"),
        (b"DC1,charge,eire,,\"19\"99,GBP,", "between a closing quote and the next comma"),
        (b"DC1,charge,eire,,19\"99,GBP,", "a quote stands in the middle"),
        (b"=\"DC1\",charge,eire,,5,GBP,", "a quote stands in the middle"),
    ];
    for (line, reason) in cases {
        for line_end in [&b"\n"[..], b"\r\n", b"\r"] {
            let lines = [HEADER.trim_end().as_bytes(), b"1,charge,eire,,7,GBP,", line, b"2,charge,eire,,8,GBP,"];
            let mut bytes = lines.join(line_end);
            bytes.extend_from_slice(line_end);
            let read = read(&bytes, &[]).unwrap();
            let shown = String::from_utf8_lossy(line);
            let orders: Vec<_> = read.rows.iter().map(|row| (row.order_id.as_str(), row.amount)).collect();
            assert_eq!(orders, [("1", 7), ("2", 8)], "{shown}");
            let named: Vec<_> = read.bad.iter().map(ToString::to_string).collect();
            assert_eq!(named.len(), 1, "{shown}: {named:?}");
            assert!(named[0].starts_with("line 3: "), "{shown}: {named:?}");
            assert!(named[0].contains(reason), "{shown}: {named:?}");
        }
    }
}

#[test]
fn a_line_beyond_all_measure_costs_itself_only() {
    let long = "x".repeat(crate::load::table::LINE_BYTES_MAX + 1);
    let read =
        read_text(&format!("{HEADER}1,charge,eire,,7,GBP,\n2,charge,eire,{long},7,GBP,\n3,charge,eire,,7,GBP,\n"));
    assert_eq!(read.rows.len(), 2);
    assert!(read.bad[0].to_string().starts_with("line 3: it is longer than"), "{:?}", read.bad[0].line);
}

/// What is odd and means one thing only.
#[test]
fn what_can_only_be_meant_one_way_is_read() {
    let cases = [
        "DC1,charge,eire,,1999,GBP,",
        "  DC1 , charge ,\teire, , 1999 , GBP ,",
        "\"DC1\",\"charge\",\"eire\",\"\",\"1999\",\"GBP\",\"\"",
        " \"DC1\" ,charge,eire,,\"1999\" ,GBP,x",
        "DC1,charge,eire,,1999,GBP,\"a \"\"quoted\"\" note, with a comma\"",
    ];
    for line in cases {
        for (begin, end) in [("", "\n"), ("", "\r\n"), ("\n\n   \n", "\n\n"), ("", "")] {
            let read = read_text(&format!("{HEADER}{begin}{line}{end}"));
            assert_eq!(read.bad, [], "{line}");
            let [row] = read.rows.as_slice() else { panic!("{line}: {:?}", read.rows) };
            assert_eq!((row.order_id.as_str(), row.amount, row.currency.as_str()), ("DC1", 1_999, "GBP"), "{line}");
        }
    }
}

/// Sent as it stands: `ingest` says what is wrong with it.
#[test]
fn a_currency_is_passed_on_as_it_is_written() {
    assert_eq!(read_text(&format!("{HEADER}1,charge,eire,,7,gbp,\n")).rows[0].currency, "gbp");
}

#[test]
fn a_broken_header_stops_the_start_and_is_named() {
    let row = "\n1,charge,eire,7,GBP\n";
    let cases: [(&[u8], &str); 16] = [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"\n", "columns are missing: order_id, kind, merchant, amount, currency"),
        (b"order_id,kind,merchant", "columns are missing: amount, currency"),
        (b"order_id,kind,merchant,amount", "a column is missing: currency"),
        (b"order_id,kind,merchant,amount,amount,currency", "two columns are named amount"),
        (b"order_id,kind,merchant,amount, amount ,currency", "two columns are named amount"),
        (b"order_id,kind,merchant,amount,\"amount\",currency", "two columns are named amount"),
        (b"order_id,kind,merchant,amount,currency,expires", "a column is not known: expires; known are order_id"),
        (b"order_id,kind,merchant,amount,currency,", "a column is not known: one without a name"),
        (b"Order_ID,kind,merchant,amount,currency", "a column is missing: order_id; a column is not known: Order_ID"),
        (b"order_id;kind;merchant;amount;currency", "separated by semicolons"),
        (b"order_id\tkind\tmerchant\tamount\tcurrency", "separated by tabs"),
        (b"order_id,kind,\"merchant,amount,currency", "a quote is opened and not closed"),
        (b"order_id,kind,merchant,amount,currency,\xb1\xb8", "not UTF-8"),
        (b"o\x00r\x00d\x00e\x00r", "UTF-16"),
    ];
    for (header, reason) in cases {
        let said = refused(&if header.len() < 4 { header.to_vec() } else { [header, row.as_bytes()].concat() });
        assert!(said.contains(reason), "{}: {said}", String::from_utf8_lossy(header));
    }
    let utf_16: Vec<u8> = "\u{feff}order_id".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(refused(&utf_16).contains("UTF-16"));
    let long = format!("order_id,{}\n", "x".repeat(crate::load::table::LINE_BYTES_MAX));
    assert!(refused(long.as_bytes()).contains("longer than"));
}

#[test]
fn a_file_of_a_header_alone_holds_nothing() {
    assert_eq!(read_text(HEADER), Transactions::default());
    assert_eq!(read_text(HEADER.trim_end()), Transactions::default());
}

#[test]
fn columns_may_stand_in_any_order_behind_a_byte_order_mark_and_be_ignored_by_name() {
    let text = "\u{feff}currency,extra,amount,merchant,kind,order_id\nEUR,?,5,m,payout,o-1\n";
    assert!(refused(text.as_bytes()).contains("a column is not known: extra"));
    let read = read(text.as_bytes(), &["extra".to_owned()]).unwrap();
    assert_eq!((read.rows[0].currency.as_str(), read.rows[0].kind), ("EUR", Kind::Payout));
}

#[test]
fn a_last_value_that_may_have_been_cut_off_is_not_believed() {
    for column in MONEY_COLUMNS {
        let others: Vec<_> = REQUIRED_COLUMNS.into_iter().filter(|name| *name != column).collect();
        let value = |name: &str| match name {
            "order_id" => "1",
            "kind" => "charge",
            "merchant" => "eire",
            "amount" => "19",
            "currency" => "GBP",
            _ => "x1",
        };
        let values: Vec<_> = others.iter().chain([&column]).map(|name| value(name)).collect();
        let text = format!("{},{column}\n{}", others.join(","), values.join(","));
        let read = read_text(&text);
        assert_eq!(read.rows, [], "{text}");
        assert!(read.bad[0].to_string().starts_with(&format!("line 2: {column} is the file's last value")), "{text}");
        assert_eq!(read_text(&format!("{text}\n")).rows.len(), 1, "{text}");
    }
    let read = read_text("order_id,kind,merchant,amount,currency\n1,charge,eire,19,GBP");
    assert_eq!(read.rows.len(), 1, "half a currency is none, and refused");
}

#[test]
fn an_order_that_stands_twice_is_sent_once_or_not_at_all() {
    let text = format!(
        "{HEADER}1,charge,eire,,5,GBP,\n2,charge,eire,,6,GBP,\n1,charge,eire,,5,GBP,again\n2,charge,eire,,60,GBP,\n\
         2,refund,eire,,6,GBP,\n2,charge,spain,,7,GBP,\n"
    );
    let read = read_text(&text);
    let sent: Vec<_> = read.rows.iter().map(|row| (row.line, row.amount)).collect();
    assert_eq!(sent, [(2, 5), (6, 6), (7, 7)]);
    let bad: Vec<_> = read.bad.iter().map(ToString::to_string).collect();
    assert_eq!(
        bad,
        [
            "line 3: charge 2 of eire stands in lines 3, 5, which differ: none of them is sent",
            "line 4: charge 1 of eire stands in line 2 already and is sent once",
            "line 5: charge 2 of eire stands in lines 3, 5, which differ: none of them is sent",
        ]
    );
}

#[test]
fn what_else_is_known_is_sent_and_a_refund_that_names_its_charge_is_linked() {
    let text = "order_id,kind,merchant,amount,currency,original_order_id,expires_at,priority,payment_method,description\n\
                1,refund,eire,5,GBP,A-1,,,,\n2,refund,eire,5,GBP,,,,,\n\
                3,charge,eire,5,GBP,,2026-01-31T12:00:00Z,high,tok_1,two words\n";
    let bodies: Vec<_> = read_text(text).rows.iter().map(Transaction::body).collect();
    assert_eq!((&bodies[0]["original_order_id"], bodies[0].get("unlinked")), (&json!("A-1"), None));
    assert_eq!(bodies[1]["unlinked"], json!(true));
    assert!(bodies[2].get("unlinked").is_none());
    for (name, value) in [
        ("expires_at", "2026-01-31T12:00:00Z"),
        ("priority", "high"),
        ("payment_method", "tok_1"),
        ("description", "two words"),
    ] {
        assert_eq!(bodies[2][name], json!(value));
    }
}

#[test]
fn the_shipped_file_has_512_payments_of_which_45_are_of_nothing() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/online-retail-2010-12.csv");
    let read = read_file(&path, &[]).unwrap();
    assert_eq!((read.rows.len(), read.bad.len()), (512, 0));
    assert_eq!(read.rows.iter().filter(|row| row.amount == 0).count(), 45);
}

#[test]
fn a_file_that_is_not_there_or_a_folder_is_named() {
    for path in ["/nowhere.csv", env!("CARGO_MANIFEST_DIR")] {
        let said = read_file(Path::new(path), &[]).unwrap_err().to_string();
        assert!(said.starts_with(&format!("cannot read {path}: ")), "{said}");
    }
}
