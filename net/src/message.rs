//! Owns a message between peers: its name and its bytes, and what they mean.
//! Promises that bytes are only parsed when somebody asks, so a block can pass without being taken apart.
//! Refuses to know how it stands on the wire: that is the transport's.

use std::fmt;

use bitcoin::block::Header;
use bitcoin::consensus::encode::{self, Decodable, VarInt, deserialize_partial, serialize};
use bitcoin::p2p::message::{CommandString, NetworkMessage};
use bytes::Bytes;

#[cfg(test)]
mod tests;

/// Most headers of one `headers` message: Bitcoin Core's `MAX_HEADERS_RESULTS`.
pub const MAX_HEADERS: usize = 2_000;

/// A message's name: 1 to 12 printable ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command([u8; 12]);

impl Command {
    /// A name from its text; `None` if no message can be called so.
    pub fn new(name: &str) -> Option<Command> {
        let mut bytes = [0; 12];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        Command::from_wire(bytes)
    }

    /// A name as the v1 transport has it: padded with zeros. `None` if characters stand in it that no name has, or
    /// bytes after the padding.
    pub fn from_wire(bytes: [u8; 12]) -> Option<Command> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(12);
        let (name, padding) = bytes.split_at(end);
        let printable = !name.is_empty() && name.iter().all(|byte| (0x20..0x7f).contains(byte));
        (printable && padding.iter().all(|byte| *byte == 0)).then_some(Command(bytes))
    }

    /// The name, padded with zeros.
    pub fn to_wire(self) -> [u8; 12] {
        self.0
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(12);
        std::str::from_utf8(&self.0[..end]).expect("only ASCII is let in")
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The payload is not what messages of its name carry.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` does not decode: {}", why(.source))]
pub struct MessageError {
    /// The message's name.
    pub command: Command,
    /// What is wrong with it.
    pub source: encode::Error,
}

/// What is wrong with bytes that do not decode, in the words of a log.
pub(crate) fn why(error: &encode::Error) -> String {
    match error {
        encode::Error::Io(error) if error.kind() == bitcoin::io::ErrorKind::UnexpectedEof => {
            "it ends too early".to_owned()
        }
        error => error.to_string(),
    }
}

/// A message: its name, and its payload as the peer sent it. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub command: Command,
    /// Its bytes.
    pub payload: Bytes,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.command, self.payload.len())
    }
}

impl Message {
    /// A message of any name and bytes.
    pub fn new(command: Command, payload: impl Into<Bytes>) -> Message {
        Message {
            command,
            payload: payload.into(),
        }
    }

    /// A `block` from bytes that are one already.
    pub fn block(bytes: impl Into<Bytes>) -> Message {
        Message::new(Command::new("block").expect("a name"), bytes)
    }

    /// What it says. A name that is not known gives [`NetworkMessage::Unknown`].
    ///
    /// As Bitcoin Core does, bytes after what the message needs are left alone, so that fields can be added to it.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if the bytes end too early or are not what they should be.
    pub fn decode(&self) -> Result<NetworkMessage, MessageError> {
        use NetworkMessage as M;
        let decoded = match self.command.as_str() {
            "version" => self.read(M::Version),
            "verack" => Ok(M::Verack),
            "addr" => self.read(M::Addr),
            "inv" => self.read(M::Inv),
            "getdata" => self.read(M::GetData),
            "notfound" => self.read(M::NotFound),
            "getblocks" => self.read(M::GetBlocks),
            "getheaders" => self.read(M::GetHeaders),
            "mempool" => Ok(M::MemPool),
            "tx" => self.read(M::Tx),
            "block" => self.read(M::Block),
            "headers" => read_headers(&self.payload).map(M::Headers),
            "sendheaders" => Ok(M::SendHeaders),
            "getaddr" => Ok(M::GetAddr),
            "ping" => self.read(M::Ping),
            "pong" => self.read(M::Pong),
            "merkleblock" => self.read(M::MerkleBlock),
            "filterload" => self.read(M::FilterLoad),
            "filteradd" => self.read(M::FilterAdd),
            "filterclear" => Ok(M::FilterClear),
            "getcfilters" => self.read(M::GetCFilters),
            "cfilter" => self.read(M::CFilter),
            "getcfheaders" => self.read(M::GetCFHeaders),
            "cfheaders" => self.read(M::CFHeaders),
            "getcfcheckpt" => self.read(M::GetCFCheckpt),
            "cfcheckpt" => self.read(M::CFCheckpt),
            "sendcmpct" => self.read(M::SendCmpct),
            "cmpctblock" => self.read(M::CmpctBlock),
            "getblocktxn" => self.read(M::GetBlockTxn),
            "blocktxn" => self.read(M::BlockTxn),
            "alert" => self.read(M::Alert),
            "reject" => self.read(M::Reject),
            "feefilter" => self.read(M::FeeFilter),
            "wtxidrelay" => Ok(M::WtxidRelay),
            "addrv2" => self.read(M::AddrV2),
            "sendaddrv2" => Ok(M::SendAddrV2),
            name => Ok(M::Unknown {
                command: CommandString::try_from(name.to_owned()).expect("12 characters at most"),
                payload: self.payload.to_vec(),
            }),
        };
        decoded.map_err(|source| MessageError {
            command: self.command,
            source,
        })
    }

    fn read<T: Decodable>(
        &self,
        message: impl FnOnce(T) -> NetworkMessage,
    ) -> Result<NetworkMessage, encode::Error> {
        deserialize_partial(&self.payload).map(|(content, _)| message(content))
    }
}

/// Headers, each followed by a number of transactions that is of no meaning.
fn read_headers(payload: &[u8]) -> Result<Vec<Header>, encode::Error> {
    let (count, mut at) = deserialize_partial::<VarInt>(payload)?;
    if count.0 > MAX_HEADERS as u64 {
        return Err(encode::Error::ParseFailed("more than 2,000 headers"));
    }
    let mut headers = Vec::with_capacity(count.0 as usize);
    for _ in 0..count.0 {
        let (header, length) = deserialize_partial(&payload[at..])?;
        at += length;
        let (_, length) = deserialize_partial::<VarInt>(&payload[at..])?;
        at += length;
        headers.push(header);
    }
    Ok(headers)
}

impl From<&NetworkMessage> for Message {
    fn from(message: &NetworkMessage) -> Message {
        use NetworkMessage as M;
        let payload = match message {
            M::Version(content) => serialize(content),
            M::Addr(content) => serialize(content),
            M::Inv(content) | M::GetData(content) | M::NotFound(content) => serialize(content),
            M::GetBlocks(content) => serialize(content),
            M::GetHeaders(content) => serialize(content),
            M::Tx(content) => serialize(content),
            M::Block(content) => serialize(content),
            M::Headers(content) => write_headers(content),
            M::Ping(content) | M::Pong(content) => serialize(content),
            M::MerkleBlock(content) => serialize(content),
            M::FilterLoad(content) => serialize(content),
            M::FilterAdd(content) => serialize(content),
            M::GetCFilters(content) => serialize(content),
            M::CFilter(content) => serialize(content),
            M::GetCFHeaders(content) => serialize(content),
            M::CFHeaders(content) => serialize(content),
            M::GetCFCheckpt(content) => serialize(content),
            M::CFCheckpt(content) => serialize(content),
            M::SendCmpct(content) => serialize(content),
            M::CmpctBlock(content) => serialize(content),
            M::GetBlockTxn(content) => serialize(content),
            M::BlockTxn(content) => serialize(content),
            M::Alert(content) => serialize(content),
            M::Reject(content) => serialize(content),
            M::FeeFilter(content) => serialize(content),
            M::AddrV2(content) => serialize(content),
            M::Verack
            | M::MemPool
            | M::SendHeaders
            | M::GetAddr
            | M::FilterClear
            | M::WtxidRelay
            | M::SendAddrV2 => Vec::new(),
            M::Unknown { payload, .. } => payload.clone(),
        };
        let name = message.command();
        let command = Command::new(name.as_ref()).expect("the names of the protocol are names");
        Message::new(command, payload)
    }
}

impl From<NetworkMessage> for Message {
    fn from(message: NetworkMessage) -> Message {
        Message::from(&message)
    }
}

fn write_headers(headers: &[Header]) -> Vec<u8> {
    let mut payload = serialize(&VarInt(headers.len() as u64));
    for header in headers {
        payload.extend(serialize(header));
        payload.push(0);
    }
    payload
}
