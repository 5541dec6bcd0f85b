//! What comes in bodies, for the API's description.
//
// They describe what `payments`, `asks` and `expected` read; a test in `openapi` holds the two
// together.

use utoipa::ToSchema;

use super::view::{amount_or_null_schema, amount_schema};

/// A prompt to be shown to a payer.
#[derive(Debug, ToSchema)]
pub struct NewPush {
    /// Whole shillings, by default from 1 to 250,000.
    #[schema(schema_with = amount_schema)]
    pub amount: String,
    /// The phone that is prompted, in any usual form.
    #[schema(example = "0722 000 111")]
    pub phone: String,
    /// What it is for, shown on the prompt: at most 12 letters, digits, blanks, points and hyphens.
    #[schema(min_length = 1, max_length = 12, example = "ORDER001")]
    pub reference: String,
    /// More words, for M-Pesa; at most 13 of the same characters.
    #[schema(max_length = 13, example = "Subscription")]
    pub description: Option<String>,
}

/// A claim on a payment.
#[derive(Debug, ToSchema)]
pub struct NewClaim {
    /// What is delivered for it, such as an order's number.
    #[schema(min_length = 1, max_length = 200, example = "order 4711")]
    pub purpose: String,
}

/// Our own number whose balances are asked for.
#[derive(Debug, ToSchema)]
pub struct NewBalanceInquiry {
    /// The organisation's, unless given.
    #[schema(example = "600999")]
    pub shortcode: Option<String>,
    /// Which way: `daraja`, unless only the broker is set up, or `soap`.
    #[schema(example = "daraja")]
    pub rail: Option<String>,
}

/// A transaction to be looked up: by exactly one of the two.
#[derive(Debug, ToSchema)]
pub struct NewStatusInquiry {
    /// Its receipt.
    #[schema(example = "QK12ABCD34")]
    pub receipt: Option<String>,
    /// The `OriginatorConversationID` or `ConversationID` of the request that made it.
    pub originator_conversation_id: Option<String>,
    /// The organisation's, unless given.
    pub shortcode: Option<String>,
    /// Which way: `daraja`, unless only the broker is set up, or `soap`.
    #[schema(example = "daraja")]
    pub rail: Option<String>,
}

/// A payment to be given back.
#[derive(Debug, ToSchema)]
pub struct NewReversal {
    /// The receipt of a payment that came in.
    #[schema(example = "QK12ABCD34")]
    pub receipt: String,
    /// At most what was paid.
    #[schema(schema_with = amount_schema)]
    pub amount: String,
    /// M-Pesa's `Remarks`.
    #[schema(min_length = 2, max_length = 100)]
    pub remarks: String,
    /// M-Pesa's `Occasion`.
    #[schema(max_length = 100)]
    pub occasion: Option<String>,
    /// Which way: `daraja`, unless only the broker is set up, or `soap`.
    #[schema(example = "daraja")]
    pub rail: Option<String>,
}

/// Where M-Pesa is to send C2B notices: to this gateway's own addresses.
#[derive(Debug, ToSchema)]
pub struct NewRegistration {
    /// The number that customers pay to, unless another is given.
    #[schema(example = "174379")]
    pub shortcode: Option<String>,
    /// What M-Pesa does when nobody answers a validation: `Completed`, the default, or
    /// `Cancelled`.
    #[schema(example = "Completed")]
    pub response_type: Option<String>,
    /// Which way: `daraja`, unless only the broker is set up, or `soap`.
    #[schema(example = "daraja")]
    pub rail: Option<String>,
    /// `v1` or, the default, `v2`: they differ in how notices show the payer's phone.
    #[schema(example = "v2")]
    pub version: Option<String>,
}

/// A customer's payment to be acted, in the sandbox only.
#[derive(Debug, ToSchema)]
pub struct NewSimulation {
    /// The number that is paid: the one that customers pay to, unless another is given.
    pub shortcode: Option<String>,
    /// `CustomerPayBillOnline`, the default, or `CustomerBuyGoodsOnline`.
    #[schema(example = "CustomerPayBillOnline")]
    pub command: Option<String>,
    /// How much, in whole shillings.
    #[schema(schema_with = amount_schema)]
    pub amount: String,
    /// Who pays.
    pub phone: String,
    /// What he types, at most 20 letters, digits, blanks, points and hyphens: needed for a pay bill
    /// number, left out for a till.
    #[schema(max_length = 20, example = "INV-77")]
    pub account: Option<String>,
    /// `v1` or, the default, `v2`.
    pub version: Option<String>,
}

/// A payment to another organisation, or between our own accounts.
#[derive(Debug, ToSchema)]
pub struct NewBusinessPayment {
    /// `BusinessPayBill`, the default, `BusinessBuyGoods`, `BusinessPayToBulk` or
    /// `BusinessTransferFromMMFToUtility`.
    #[schema(example = "BusinessPayBill")]
    pub command: Option<String>,
    /// The short code that is paid.
    #[schema(example = "888880")]
    pub to: String,
    /// How much, in whole shillings.
    #[schema(schema_with = amount_schema)]
    pub amount: String,
    /// The account there, at most 13 letters, digits, blanks, points and hyphens: needed for
    /// `BusinessPayBill`.
    #[schema(max_length = 13)]
    pub account: Option<String>,
    /// The phone of whom it is paid for.
    pub requester: Option<String>,
    /// M-Pesa's `Remarks`.
    #[schema(min_length = 2, max_length = 100)]
    pub remarks: String,
    /// M-Pesa's `Occassion`.
    #[schema(max_length = 100)]
    pub occasion: Option<String>,
    /// Which way: `daraja`, unless only the broker is set up, or `soap`.
    #[schema(example = "daraja")]
    pub rail: Option<String>,
}

/// Tax to be paid to the Kenya Revenue Authority.
#[derive(Debug, ToSchema)]
pub struct NewTaxPayment {
    /// The authority's payment registration number.
    #[schema(example = "2020000000012345")]
    pub prn: String,
    /// How much, in whole shillings.
    #[schema(schema_with = amount_schema)]
    pub amount: String,
    /// M-Pesa's `Remarks`.
    #[schema(min_length = 2, max_length = 100)]
    pub remarks: String,
}

/// A QR code that customers scan to pay.
#[derive(Debug, ToSchema)]
pub struct NewQrCode {
    /// How much it asks for, in whole shillings.
    #[schema(schema_with = amount_schema)]
    pub amount: String,
    /// What it is for: at most 12 letters, digits, blanks, points and hyphens.
    #[schema(min_length = 1, max_length = 12, example = "INV-77")]
    pub reference: String,
    /// What it pays to: `paybill`, `till`, `agent`, `phone` or `business`. Unless given, what
    /// customers of this gateway pay to.
    #[schema(example = "paybill")]
    pub kind: Option<String>,
    /// Who is paid: a short code, or a phone where `kind` is `phone` or `business`. May be left
    /// out where this gateway's own number is paid.
    #[schema(example = "174379")]
    pub receiver: Option<String>,
    /// How many pixels wide and high; 300 unless given.
    #[schema(minimum = 100, maximum = 1000, example = 300)]
    pub size: Option<u16>,
    /// The name that the customer is shown: the organisation's, unless given.
    #[schema(max_length = 100, example = "Example Org")]
    pub merchant_name: Option<String>,
}

/// Leave to pull what customers paid.
#[derive(Debug, ToSchema)]
pub struct NewPullRegistration {
    /// The organisation's own phone, as M-Pesa has it.
    #[schema(example = "0722 000 111")]
    pub nominated_number: String,
    /// The number that customers pay, unless another is given.
    #[schema(example = "174379")]
    pub shortcode: Option<String>,
}

/// A reference that somebody is expected to pay.
#[derive(Debug, ToSchema)]
pub struct NewExpectedReference {
    /// What the payer is to type: at most 20 letters, digits, blanks, points and hyphens.
    #[schema(min_length = 1, max_length = 20, example = "INV-77")]
    pub reference: String,
    /// Exactly how much; any amount unless given.
    #[schema(schema_with = amount_or_null_schema)]
    pub amount: Option<String>,
    /// Who is to pay; anybody unless given.
    pub phone: Option<String>,
    /// Until when; without end unless given.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// `once`, the default, as an invoice; or `many`, as an account.
    #[schema(example = "once")]
    pub times: Option<String>,
}
