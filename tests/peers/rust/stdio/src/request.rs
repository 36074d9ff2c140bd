//! A request, and typed access to its fields.

use serde_json::Value;

use crate::{hex, Identity, Lineage, Proposal, Result, Settings};

pub struct Request(Value);

impl Request {
    pub fn parse(line: &str) -> Result<Self> {
        Ok(Self(serde_json::from_str(line)?))
    }

    pub fn text(&self, field: &str) -> Result<&str> {
        self.0[field].as_str().ok_or_else(|| missing(field, "a text"))
    }

    pub fn bytes(&self, field: &str) -> Result<Vec<u8>> {
        hex::decode(self.text(field)?)
    }

    pub fn number(&self, field: &str) -> Result<u64> {
        self.0[field].as_u64().ok_or_else(|| missing(field, "a number"))
    }

    /// A leaf index, or nothing where the field is null or absent.
    pub fn leaf(&self, field: &str) -> Result<Option<u32>> {
        match &self.0[field] {
            Value::Null => Ok(None),
            _ => Ok(Some(u32::try_from(self.number(field)?)?)),
        }
    }

    pub fn flag(&self, field: &str) -> bool {
        self.0[field].as_bool().unwrap_or(false)
    }

    pub fn lineage(&self) -> Result<Lineage> {
        match self.text("lineage")? {
            "reinit" => Ok(Lineage::ReInit),
            "branch" => Ok(Lineage::Branch),
            other => Err(format!("no such lineage: {other}").into()),
        }
    }

    pub fn list(&self, field: &str) -> Result<Vec<Vec<u8>>> {
        let items = self.0[field].as_array().ok_or_else(|| missing(field, "a list"))?;
        items.iter().map(|item| hex::decode(item.as_str().ok_or_else(|| missing(field, "texts"))?)).collect()
    }

    pub fn proposals(&self) -> Result<Vec<Proposal>> {
        let items = self.0["proposals"].as_array().ok_or_else(|| missing("proposals", "a list"))?;
        items.iter().map(|item| Request(item.clone()).proposal()).collect()
    }

    pub fn proposal(&self) -> Result<Proposal> {
        match self.text("type")? {
            "add" => Ok(Proposal::Add(self.bytes("key_package")?)),
            "update" => Ok(Proposal::Update),
            "remove" => Ok(Proposal::Remove(u32::try_from(self.number("leaf")?)?)),
            "psk" => Ok(Proposal::Psk(self.bytes("psk_id")?)),
            "resumption" => Ok(Proposal::Resumption(self.number("epoch")?)),
            "extensions" => Ok(Proposal::Extensions(self.bytes("extensions")?)),
            "reinit" => Ok(Proposal::ReInit(self.bytes("group_id")?)),
            other => Err(format!("no such proposal: {other}").into()),
        }
    }

    pub fn settings(&self) -> Result<Settings> {
        let identity = match self.text("credential")? {
            "basic" => Identity::Basic(self.bytes("identity")?),
            "x509" => Identity::X509 {
                certificates: self.list("certificates")?,
                private_key: self.bytes("private_key")?,
                public_key: self.bytes("public_key")?,
            },
            other => return Err(format!("no such credential: {other}").into()),
        };
        Ok(Settings {
            suite: u16::try_from(self.number("suite")?)?,
            identity,
            roots: self.list("roots")?,
            encrypts_handshake: self.flag("encrypts_handshake"),
        })
    }
}

fn missing(field: &str, kind: &str) -> crate::Error {
    format!("{field} must be {kind}").into()
}
