namespace LookaheadKV.Reports

open System

/// A part of a literate script.
type Cell =
    /// A text in Markdown, between <c>(**</c> and <c>*)</c>.
    | Markdown of string
    /// Code.
    | Code of string

/// Literate scripts as notebooks.
module Literate =

    let private trim (text: string) = text.Trim('\n', '\r', ' ', '\t')

    /// <summary>The cells of a script: every <c>(** … *)</c> that starts a line is a text, what stands between two of them is code.</summary>
    /// <param name="script">The script.</param>
    /// <exception cref="T:LookaheadKV.InputException">A text is not ended.</exception>
    let split (script: string) =
        let code (text: string) =
            [
                if trim text <> "" then
                    Code(text.Trim('\n', '\r'))
            ]

        let rec cells (rest: string) =
            let start =
                if rest.StartsWith "(**" then
                    0
                else
                    rest.IndexOf("\n(**", StringComparison.Ordinal)

            if start < 0 then
                code rest
            else
                let open' = rest.IndexOf("(**", start, StringComparison.Ordinal)
                let close = rest.IndexOf("*)", open' + 3, StringComparison.Ordinal)

                if close < 0 then
                    let line = rest.Substring(open').Split('\n')[0]
                    raise (LookaheadKV.InputException $"the text that starts with \"{line}\" is not ended; end it with *).")

                code (rest.Substring(0, open'))
                @ Markdown(trim (rest.Substring(open' + 3, close - open' - 3))) :: cells (rest.Substring(close + 2))

        cells (script.ReplaceLineEndings "\n")
