//! The names under which messages hold what is somebody's (spec/daraja.md §2).
//!
//! One list for what is shown and for what is recorded; the recorder looks for the same in SOAP.
//! Upper and lower case are the same, and blanks do not count.

/// Names of people, alone or behind a phone.
pub const NAMES: [&str; 17] = [
    "FirstName",
    "MiddleName",
    "LastName",
    "FullName",
    "billedFullName",
    "ReceiverName",
    "SenderName",
    "PayerName",
    "CustomerName",
    "ReceiverPartyPublicName",
    "DebitPartyName",
    "CreditPartyName",
    "DebitPartyPublicName",
    "CreditPartyPublicName",
    "ReceiverPartyName",
    "SenderPartyPublicName",
    "InitiatorPartyPublicName",
];
/// What a card of identity or a register says of somebody, digits and all.
pub const IDENTITY: [&str; 11] = [
    "KYCValue",
    "FieldValue",
    "IDNumber",
    "IDNo",
    "NationalID",
    "NationalIDNumber",
    "PassportNumber",
    "DateOfBirth",
    "DOB",
    "Birthday",
    "email",
];
/// Phones: whole, in whichever form, or shown as a hash. Some may be a short code as well.
pub const PHONES: [&str; 14] = [
    "MSISDN",
    "PhoneNumber",
    "Phone",
    "Mobile",
    "MobileNumber",
    "CustomerMSISDN",
    "SenderMSISDN",
    "ReceiverMSISDN",
    "billedPhoneNumber",
    "officialContact",
    "NominatedNumber",
    "Requester",
    "PartyA",
    "PartyB",
];
/// What a payer typed: often a name, a phone, or the number of somebody's house.
pub const TYPED: [&str; 5] =
    ["BillRefNumber", "BillReferenceNumber", "billreference", "AccountReference", "InvoiceNumber"];
