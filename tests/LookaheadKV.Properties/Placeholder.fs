module LookaheadKV.Properties.Placeholder
open Xunit
open FsCheck.Xunit
[<Property>]
let ok (x: int) = x + 0 = x
