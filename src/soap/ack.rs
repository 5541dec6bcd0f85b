//! What M-Pesa's calls are answered with, byte for byte (spec/soap.md §5.5, §5.6).
//!
//! A message is on disk before its acknowledgement is sent; duplicates are acknowledged with
//! success too. Golden files in `tests/golden/` hold the same bytes a second time.

/// The content type of every acknowledgement (spec/soap.md §5.5).
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

macro_rules! result_ack {
    ($code:literal, $words:literal) => {
        concat!(
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/""#,
            r#" xmlns:req="http://api-v1.gen.mm.vodafone.com/mminterface/request">
   <soapenv:Header/>
   <soapenv:Body>
      <req:ResponseMsg><![CDATA[<?xml version="1.0" encoding="UTF-8"?>
<response xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/response">
    <ResponseCode>"#,
            $code,
            "</ResponseCode>\n    <ResponseDesc>",
            $words,
            r"</ResponseDesc>
</response>]]></req:ResponseMsg>
   </soapenv:Body>
</soapenv:Envelope>"
        )
    };
}

macro_rules! timeout_ack {
    ($code:literal, $words:literal) => {
        concat!(
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/""#,
            r#" xmlns:loc="http://www.csapi.org/schema/timeoutnotification/data/v1_0/local""#,
            r#" xmlns:res="http://api-v1.gen.mm.vodafone.com/mminterface/result">
   <soapenv:Header/>
   <soapenv:Body>
      <loc:notifyQueueTimeoutResponse>
         <loc:result>
            <res:ResultCode>"#,
            $code,
            "</res:ResultCode>\n            <res:ResultDesc>",
            $words,
            r"</res:ResultDesc>
         </loc:result>
      </loc:notifyQueueTimeoutResponse>
   </soapenv:Body>
</soapenv:Envelope>"
        )
    };
}

/// A result was kept: eight zeros, as production sends (spec/soap.md §5.5).
pub const RESULT_KEPT: &str = result_ack!("00000000", "success");
/// A result was not kept, code 200000003: let it be sent again (spec/soap.md §5.5).
pub const RESULT_REFUSED: &str = result_ack!("200000003", "internal error");
/// A queue timeout was kept (spec/soap.md §5.6).
pub const TIMEOUT_KEPT: &str = timeout_ack!("00000000", "success");
/// A queue timeout was not kept (spec/soap.md §5.6).
pub const TIMEOUT_REFUSED: &str = timeout_ack!("000000001", "internal error");

/// Whether an acknowledgement of a result says success: how the simulator reads ours.
///
/// # Errors
/// It is no acknowledgement.
pub fn is_kept(bytes: &[u8]) -> Result<bool, super::envelope::Unreadable> {
    super::response::parse(bytes)
        .map(|response| crate::domain::outcome::is_success(&response.facts.code))
}
