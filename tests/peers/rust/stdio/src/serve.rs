//! One JSON request a line in, one answer a line out: `{"ok": ...}` or `{"error": "..."}`.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use serde_json::{json, Value};

use crate::request::Request;
use crate::{hex, Client, Commit, Received, Result, Stack};

/// Answer requests until the input ends. Clients are told apart by the field `client`.
pub fn serve<S: Stack>(stack: &S) -> Result<()> {
    let mut clients: HashMap<String, Box<dyn Client>> = HashMap::new();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match answer(stack, &mut clients, &line?) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn answer<S: Stack>(stack: &S, clients: &mut HashMap<String, Box<dyn Client>>, line: &str) -> Result<Value> {
    let request = Request::parse(line)?;
    let operation = request.text("operation")?;
    if operation == "hello" {
        return Ok(json!({ "peer": S::NAME, "version": S::VERSION, "suites": S::SUITES }));
    }
    let name = request.text("client")?;
    match operation {
        "client" => {
            clients.insert(name.to_owned(), stack.client(request.settings()?)?);
            Ok(Value::Null)
        }
        "forget" => {
            clients.remove(name);
            Ok(Value::Null)
        }
        _ => perform(clients.get_mut(name).ok_or("no such client")?.as_mut(), operation, &request),
    }
}

fn perform(client: &mut dyn Client, operation: &str, request: &Request) -> Result<Value> {
    let nothing = |()| Value::Null;
    let message = |bytes: Vec<u8>| Value::String(hex::encode(&bytes));
    match operation {
        "key_package" => client.key_package().map(message),
        "create" => client.create(&request.bytes("group_id")?).map(nothing),
        "join" => client.join(&request.bytes("welcome")?).map(nothing),
        "join_externally" => client
            .join_externally(&request.bytes("group_info")?, request.leaf("replaces")?)
            .map(message),
        "propose_self" => client.propose_self(&request.bytes("group_info")?).map(message),
        "group_info" => client.group_info().map(message),
        "add_psk" => client
            .add_psk(&request.bytes("psk_id")?, &request.bytes("psk")?)
            .map(nothing),
        "propose" => client.propose(request.proposal()?).map(message),
        "commit" => client.commit(request.proposals()?).map(|Commit { message, welcome }| {
            json!({ "message": hex::encode(&message), "welcome": welcome.map(|each| hex::encode(&each)) })
        }),
        "merge" => client.merge().map(nothing),
        "discard" => client.discard().map(nothing),
        "process" => client.process(&request.bytes("message")?).map(|received| match received {
            Received::Application(data) => json!({ "kind": "application", "data": hex::encode(&data) }),
            Received::Proposal => json!({ "kind": "proposal" }),
            Received::Commit => json!({ "kind": "commit" }),
            Received::Removed => json!({ "kind": "removed" }),
        }),
        "protect" => client.protect(&request.bytes("data")?).map(message),
        "continue_as" => client
            .continue_as(request.lineage()?, &request.bytes("group_id")?, &request.list("key_packages")?)
            .map(message),
        "join_continuation" => {
            client.join_continuation(request.lineage()?, &request.bytes("welcome")?).map(nothing)
        }
        "export" => {
            let length = usize::try_from(request.number("length")?)?;
            client
                .export(&request.bytes("label")?, &request.bytes("context")?, length)
                .map(message)
        }
        "state" => client.state().map(|state| {
            let members: Vec<Value> = state
                .members
                .iter()
                .map(|(leaf, identity)| json!([leaf, hex::encode(identity)]))
                .collect();
            json!({
                "epoch": state.epoch,
                "epoch_authenticator": hex::encode(&state.epoch_authenticator),
                "tree_hash": hex::encode(&state.tree_hash),
                "own_leaf": state.own_leaf,
                "members": members,
            })
        }),
        other => Err(format!("no such operation: {other}").into()),
    }
}
