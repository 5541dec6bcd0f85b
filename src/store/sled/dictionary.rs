//! What SOAP messages have in common, for their packing.
//!
//! The compressor refers into this text instead of repeating it. What stands at its end is
//! cheapest to refer to. It may never change: a better one gets a number of its own in `codec`.

/// The first dictionary: the phrases of spec/soap.md §3 to §5, in the order in which messages hold
/// them.
pub(super) const FIRST: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring></faultstring></soapenv:Fault>
<loc:notifyQueueTimeout><loc:originRequest></loc:originRequest><loc:extensionInfo><loc:item>
xmlns:loc="http://www.csapi.org/schema/timeoutnotification/data/v1_0/local"
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:req="http://api-v1.gen.mm.vodafone.com/mminterface/request">
  <soapenv:Header>
    <tns:RequestSOAPHeader xmlns:tns="http://www.huawei.com/schema/osg/common/v2_1">
      <tns:spId></tns:spId>
      <tns:spPassword></tns:spPassword>
      <tns:timeStamp></tns:timeStamp>
      <tns:serviceId></tns:serviceId>
    </tns:RequestSOAPHeader>
  </soapenv:Header>
  <soapenv:Body>
    <req:RequestMsg><![CDATA[<?xml version="1.0" encoding="UTF-8"?>
<request xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/request">
  <Transaction>
    <CommandID>SalaryPaymentWithWithdrawalChargePaid</CommandID><CommandID>PromotionPayment</CommandID><CommandID>BusinessPayment</CommandID>
    <LanguageCode>0</LanguageCode>
    <OriginatorConversationID></OriginatorConversationID>
    <ConversationID></ConversationID>
    <Remark></Remark>
    <EncryptedParameters>EncryptedParameters</EncryptedParameters>
    <Parameters>
      <Parameter>
        <Key>Amount</Key>
        <Value></Value>
      </Parameter>
    </Parameters>
    <ReferenceData>
      <ReferenceItem>
        <Key>QueueTimeoutURL</Key>
        <Value>https://</Value>
      </ReferenceItem>
      <ReferenceItem>
        <Key>Occasion</Key>
        <Value></Value>
      </ReferenceItem>
    </ReferenceData>
    <Timestamp>2026-01-01T00:00:00.0000000Z</Timestamp>
  </Transaction>
  <Identity>
    <Caller>
      <CallerType>2</CallerType>
      <ThirdPartyID></ThirdPartyID>
      <Password>***</Password>
      <CheckSum>CheckSum</CheckSum>
      <ResultURL>https://</ResultURL>
    </Caller>
    <Initiator>
      <IdentifierType>11</IdentifierType>
      <Identifier></Identifier>
      <SecurityCredential>***</SecurityCredential>
      <ShortCode></ShortCode>
    </Initiator>
    <PrimaryParty>
      <IdentifierType>4</IdentifierType>
      <Identifier></Identifier>
      <ShortCode></ShortCode>
    </PrimaryParty>
    <ReceiverParty>
      <IdentifierType>1</IdentifierType>
      <Identifier>2547</Identifier>
      <ShortCode></ShortCode>
    </ReceiverParty>
    <AccessDevice>
      <IdentifierType>1</IdentifierType>
      <Identifier>Identifier3</Identifier>
    </AccessDevice>
  </Identity>
  <KeyOwner>1</KeyOwner>
</request>]]></req:RequestMsg>
  </soapenv:Body>
</soapenv:Envelope>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:req="http://api-v1.gen.mm.vodafone.com/mminterface/request">
  <soapenv:Header/>
  <soapenv:Body>
    <req:ResponseMsg><![CDATA[<?xml version="1.0" encoding="UTF-8"?>
<response xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/response">
  <ResponseCode>0</ResponseCode>
  <ResponseDesc>Accept the service request successfully.</ResponseDesc>
  <ConversationID>AG_2026</ConversationID>
  <OriginatorConversationID></OriginatorConversationID>
  <ServiceStatus>0</ServiceStatus>
</response>]]></req:ResponseMsg>
  </soapenv:Body>
</soapenv:Envelope>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:res="http://api-v1.gen.mm.vodafone.com/mminterface/result">
  <soapenv:Header/>
  <soapenv:Body>
    <res:ResultMsg><![CDATA[<?xml version="1.0" encoding="UTF-8"?>
<Result xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/result" xmlns:res="http://api-v1.gen.mm.vodafone.com/mminterface/result">
  <ResultType>0</ResultType>
  <ResultCode>0</ResultCode>
  <ResultDesc>The service request is processed successfully.</ResultDesc>
  <OriginatorConversationID></OriginatorConversationID>
  <ConversationID>AG_2026</ConversationID>
  <TransactionID></TransactionID>
  <ResultParameters>
    <ResultParameter>
      <Key>TransactionReceipt</Key>
      <Value></Value>
    </ResultParameter>
    <ResultParameter>
      <Key>TransactionAmount</Key>
      <Value></Value>
    </ResultParameter>
    <ResultParameter>
      <Key>B2CChargesPaidAccountAvailableFunds</Key>
      <Value></Value>
    </ResultParameter>
    <ResultParameter>
      <Key>B2CRecipientIsRegisteredCustomer</Key>
      <Value>Y</Value>
    </ResultParameter>
    <ResultParameter>
      <Key>TransactionCompletedDateTime</Key>
      <Value></Value>
    </ResultParameter>
    <ResultParameter>
      <Key>ReceiverPartyPublicName</Key>
      <Value>2547***** - </Value>
    </ResultParameter>
    <ResultParameter>
      <Key>B2CWorkingAccountAvailableFunds</Key>
      <Value></Value>
    </ResultParameter>
    <ResultParameter>
      <Key>B2CUtilityAccountAvailableFunds</Key>
      <Value></Value>
    </ResultParameter>
  </ResultParameters>
  <ReferenceData>
    <ReferenceItem>
      <Key>QueueTimeoutURL</Key>
      <Value>https://</Value>
    </ReferenceItem>
  </ReferenceData>
</Result>]]></res:ResultMsg>
  </soapenv:Body>
</soapenv:Envelope>"#;
