//! Owns a type for each message, so that a handler says by its argument which it wants.
//! Promises that each is what the `bitcoin` crate decodes.
//! Refuses names that are not known: those are had raw.

use bitcoin::block::Header;
use bitcoin::merkle_tree::MerkleBlock as BitcoinMerkleBlock;
use bitcoin::p2p::address::{AddrV2Message, Address};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetBlocksMessage, GetHeadersMessage, Inventory};
use bitcoin::p2p::{message_bloom, message_compact_blocks, message_filter, message_network};

/// What a message of one type carries.
pub trait Payload: Sized + Send + 'static {
    /// The message's name.
    const NAME: &'static str;

    /// What the message carries; `None` if it is another.
    fn from_message(message: NetworkMessage) -> Option<Self>;
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident($content:ty) = $command:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name(pub $content);

        impl Payload for $name {
            const NAME: &'static str = $command;

            fn from_message(message: NetworkMessage) -> Option<Self> {
                match message {
                    NetworkMessage::$name(content) => Some($name(content)),
                    _ => None,
                }
            }
        }
    )*};
}

macro_rules! empty_payloads {
    ($($(#[$doc:meta])* $name:ident = $command:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name;

        impl Payload for $name {
            const NAME: &'static str = $command;

            fn from_message(message: NetworkMessage) -> Option<Self> {
                matches!(message, NetworkMessage::$name).then_some($name)
            }
        }
    )*};
}

payloads! {
    /// `addr`: addresses of nodes, and when each was last seen in seconds since 1970.
    Addr(Vec<(u32, Address)>) = "addr";
    /// `addrv2`: addresses of nodes on any network (BIP155).
    AddrV2(Vec<AddrV2Message>) = "addrv2";
    /// `inv`: what the peer has.
    Inv(Vec<Inventory>) = "inv";
    /// `getdata`: what the peer wants.
    GetData(Vec<Inventory>) = "getdata";
    /// `notfound`: what the peer was asked for and does not have.
    NotFound(Vec<Inventory>) = "notfound";
    /// `getblocks`: a request for hashes of blocks.
    GetBlocks(GetBlocksMessage) = "getblocks";
    /// `getheaders`: a request for headers.
    GetHeaders(GetHeadersMessage) = "getheaders";
    /// `tx`: a transaction.
    Tx(bitcoin::Transaction) = "tx";
    /// `block`: a block. For its bytes alone, which cost nothing to decode, take it raw.
    Block(bitcoin::Block) = "block";
    /// `headers`: headers of blocks.
    Headers(Vec<Header>) = "headers";
    /// `ping`: a nonce. Delivered only if the session's config says so.
    Ping(u64) = "ping";
    /// `pong`: the nonce of a ping. Delivered only if the session's config says so.
    Pong(u64) = "pong";
    /// `merkleblock`: a block's transactions that match a filter (BIP37).
    MerkleBlock(BitcoinMerkleBlock) = "merkleblock";
    /// `filterload`: a bloom filter (BIP37).
    FilterLoad(message_bloom::FilterLoad) = "filterload";
    /// `filteradd`: an element for the filter (BIP37).
    FilterAdd(message_bloom::FilterAdd) = "filteradd";
    /// `getcfilters`: a request for compact filters (BIP157).
    GetCFilters(message_filter::GetCFilters) = "getcfilters";
    /// `cfilter`: a compact filter (BIP157).
    CFilter(message_filter::CFilter) = "cfilter";
    /// `getcfheaders`: a request for filter headers (BIP157).
    GetCFHeaders(message_filter::GetCFHeaders) = "getcfheaders";
    /// `cfheaders`: filter headers (BIP157).
    CFHeaders(message_filter::CFHeaders) = "cfheaders";
    /// `getcfcheckpt`: a request for filter checkpoints (BIP157).
    GetCFCheckpt(message_filter::GetCFCheckpt) = "getcfcheckpt";
    /// `cfcheckpt`: filter checkpoints (BIP157).
    CFCheckpt(message_filter::CFCheckpt) = "cfcheckpt";
    /// `sendcmpct`: how compact blocks are wanted (BIP152).
    SendCmpct(message_compact_blocks::SendCmpct) = "sendcmpct";
    /// `cmpctblock`: a compact block (BIP152).
    CmpctBlock(message_compact_blocks::CmpctBlock) = "cmpctblock";
    /// `getblocktxn`: a request for a compact block's transactions (BIP152).
    GetBlockTxn(message_compact_blocks::GetBlockTxn) = "getblocktxn";
    /// `blocktxn`: a compact block's transactions (BIP152).
    BlockTxn(message_compact_blocks::BlockTxn) = "blocktxn";
    /// `alert`: of old.
    Alert(Vec<u8>) = "alert";
    /// `reject`: of old (BIP61).
    Reject(message_network::Reject) = "reject";
    /// `feefilter`: the lowest fee rate that the peer wants to hear of, in satoshi per 1,000 bytes (BIP133).
    FeeFilter(i64) = "feefilter";
}

empty_payloads! {
    /// `mempool`: a request for what is in the memory pool (BIP35).
    MemPool = "mempool";
    /// `sendheaders`: blocks are to be announced by their headers (BIP130).
    SendHeaders = "sendheaders";
    /// `getaddr`: a request for addresses.
    GetAddr = "getaddr";
    /// `filterclear`: no bloom filter any more (BIP37).
    FilterClear = "filterclear";
}
