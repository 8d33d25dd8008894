namespace LookaheadKV.FSharp
module Figures =
    let placeholder = 0
