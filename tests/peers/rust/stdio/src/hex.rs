//! Bytes as lower-case hexadecimal digits.

use crate::Result;

pub fn encode(data: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    data.iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

pub fn decode(text: &str) -> Result<Vec<u8>> {
    fn digit(character: u8) -> Result<u8> {
        let value = char::from(character).to_digit(16).ok_or("no hexadecimal digit")?;
        Ok(u8::try_from(value)?)
    }
    if !text.len().is_multiple_of(2) {
        return Err("an odd number of hexadecimal digits".into());
    }
    text.as_bytes().chunks_exact(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
