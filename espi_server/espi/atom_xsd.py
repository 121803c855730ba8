"""The schemas of the shell: Atom as both published editions take it, and the two attributes of XML itself.

Written by hand, as nothing else in the house declares them. Of the two editions of atom.xsd in use the later
asks more: every link says its type, and links stand in company of at least one more in an entry. What is
valid here is valid against both.
"""

XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
           targetNamespace="http://www.w3.org/XML/1998/namespace">
  <xs:annotation>
    <xs:documentation>The attributes xml:base and xml:lang, so that nothing is fetched to know them.</xs:documentation>
  </xs:annotation>
  <xs:attribute name="base" type="xs:anyURI"/>
  <xs:attribute name="lang">
    <xs:simpleType>
      <xs:union memberTypes="xs:language">
        <xs:simpleType>
          <xs:restriction base="xs:string">
            <xs:length value="0"/>
          </xs:restriction>
        </xs:simpleType>
      </xs:union>
    </xs:simpleType>
  </xs:attribute>
</xs:schema>
"""

ATOM = """\
<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns="http://www.w3.org/2005/Atom"
           xmlns:xs="http://www.w3.org/2001/XMLSchema"
           targetNamespace="http://www.w3.org/2005/Atom"
           elementFormDefault="qualified">
  <xs:annotation>
    <xs:documentation>Atom (RFC 4287) as the shell of ESPI resources.</xs:documentation>
  </xs:annotation>
  <xs:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="xml.xsd"/>

  <xs:element name="feed" type="Feed"/>
  <xs:element name="entry" type="Entry"/>

  <xs:complexType name="Feed">
    <xs:choice minOccurs="3" maxOccurs="unbounded">
      <xs:group ref="About"/>
      <xs:element name="link" type="Link"/>
      <xs:element name="subtitle" type="Words"/>
      <xs:element name="generator" type="Generator"/>
      <xs:element name="icon" type="Address"/>
      <xs:element name="logo" type="Address"/>
      <xs:element name="entry" type="Entry"/>
      <xs:any namespace="##other"/>
    </xs:choice>
    <xs:attributeGroup ref="Common"/>
  </xs:complexType>

  <xs:complexType name="Entry">
    <xs:choice maxOccurs="unbounded">
      <xs:group ref="About"/>
      <xs:element name="link" type="Link" minOccurs="2" maxOccurs="unbounded"/>
      <xs:element name="content" type="Content"/>
      <xs:element name="published" type="Moment"/>
      <xs:element name="source" type="Words"/>
      <xs:element name="summary" type="Words"/>
      <xs:any namespace="##other"/>
    </xs:choice>
    <xs:attributeGroup ref="Common"/>
  </xs:complexType>

  <xs:group name="About">
    <xs:annotation>
      <xs:documentation>What a feed and an entry have in common. Any order, as Atom has it.</xs:documentation>
    </xs:annotation>
    <xs:choice>
      <xs:element name="id" type="Address"/>
      <xs:element name="title" type="Words"/>
      <xs:element name="updated" type="Moment"/>
      <xs:element name="author" type="Person"/>
      <xs:element name="contributor" type="Person"/>
      <xs:element name="category" type="Category"/>
      <xs:element name="rights" type="Words"/>
    </xs:choice>
  </xs:group>

  <xs:complexType name="Content" mixed="true">
    <xs:annotation>
      <xs:documentation>The resources of an entry, each valid against its own schema.</xs:documentation>
    </xs:annotation>
    <xs:sequence>
      <xs:any namespace="##other" minOccurs="0" maxOccurs="unbounded"/>
    </xs:sequence>
    <xs:attribute name="type" type="xs:string"/>
    <xs:attribute name="src" type="xs:anyURI"/>
    <xs:attributeGroup ref="Common"/>
  </xs:complexType>

  <xs:complexType name="Link" mixed="true">
    <xs:attribute name="href" type="xs:anyURI" use="required"/>
    <xs:attribute name="rel" type="xs:string" use="required"/>
    <xs:attribute name="type" type="xs:string" use="required"/>
    <xs:attribute name="hreflang" type="xs:NMTOKEN"/>
    <xs:attribute name="title" type="xs:string"/>
    <xs:attribute name="length" type="xs:positiveInteger"/>
    <xs:attributeGroup ref="Common"/>
  </xs:complexType>

  <xs:complexType name="Words" mixed="true">
    <xs:sequence>
      <xs:any namespace="http://www.w3.org/1999/xhtml" minOccurs="0"/>
    </xs:sequence>
    <xs:attribute name="type">
      <xs:simpleType>
        <xs:restriction base="xs:token">
          <xs:enumeration value="text"/>
          <xs:enumeration value="html"/>
          <xs:enumeration value="xhtml"/>
        </xs:restriction>
      </xs:simpleType>
    </xs:attribute>
    <xs:attributeGroup ref="Common"/>
  </xs:complexType>

  <xs:complexType name="Person">
    <xs:choice maxOccurs="unbounded">
      <xs:element name="name" type="xs:string"/>
      <xs:element name="uri" type="Address"/>
      <xs:element name="email" type="Email"/>
      <xs:any namespace="##other"/>
    </xs:choice>
    <xs:attributeGroup ref="Common"/>
  </xs:complexType>

  <xs:simpleType name="Email">
    <xs:restriction base="xs:normalizedString">
      <xs:pattern value="\\w+@(\\w+\\.)+\\w+"/>
    </xs:restriction>
  </xs:simpleType>

  <xs:complexType name="Category">
    <xs:attribute name="term" type="xs:string" use="required"/>
    <xs:attribute name="scheme" type="xs:anyURI"/>
    <xs:attribute name="label" type="xs:string"/>
    <xs:attributeGroup ref="Common"/>
  </xs:complexType>

  <xs:complexType name="Generator">
    <xs:simpleContent>
      <xs:extension base="xs:string">
        <xs:attribute name="uri" type="xs:anyURI"/>
        <xs:attribute name="version" type="xs:string"/>
        <xs:attributeGroup ref="Common"/>
      </xs:extension>
    </xs:simpleContent>
  </xs:complexType>

  <xs:complexType name="Address">
    <xs:simpleContent>
      <xs:extension base="xs:anyURI">
        <xs:attributeGroup ref="Common"/>
      </xs:extension>
    </xs:simpleContent>
  </xs:complexType>

  <xs:complexType name="Moment">
    <xs:simpleContent>
      <xs:extension base="xs:dateTime">
        <xs:attributeGroup ref="Common"/>
      </xs:extension>
    </xs:simpleContent>
  </xs:complexType>

  <xs:attributeGroup name="Common">
    <xs:attribute ref="xml:base"/>
    <xs:attribute ref="xml:lang"/>
    <xs:anyAttribute namespace="##other"/>
  </xs:attributeGroup>
</xs:schema>
"""
