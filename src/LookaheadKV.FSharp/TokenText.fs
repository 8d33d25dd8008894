namespace LookaheadKV.FSharp

open System
open System.Text
open LookaheadKV.Evaluation

/// The prompt's own text, coloured by what is kept of it.
module TokenText =

    /// How many shades there are above "kept nowhere".
    let levels = 6

    /// <summary>The shade of a token: 0 where no head keeps it, <see cref="levels"/> where all do.</summary>
    /// <param name="pairs">How many (layer, kv head) pairs there are.</param>
    /// <param name="count">How many of them keep the token.</param>
    let level pairs count =
        if count <= 0 then
            0
        else
            min levels (max 1 (int (ceil (float levels * float count / float pairs))))

    // Light to dark in one hue: reads the same in grey; the darkest ones carry white text.
    let private shade level =
        let share = float level / float levels

        let mix (light: int) dark =
            int (Math.Round(float light + (float dark - float light) * share))

        let text = if level > levels / 2 then "#fff" else "#111"
        $"background:#%02x{mix 235 0}%02x{mix 245 58}%02x{mix 255 110};color:{text}"

    /// The CSS of the classes that <see cref="spans"/> uses.
    let css =
        let classes =
            [ for level in 1..levels -> $".kept{level}{{{shade level};border-radius:2px}}" ]

        String.concat
            "\n"
            (".tokens{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:16px}\n.tokens h4{margin:.2em 0}\n"
             + ".tokens pre{white-space:pre-wrap;font:12px/1.5 ui-monospace,monospace;max-height:420px;overflow:auto;border:1px solid #ddd;padding:8px;margin:0}"
             :: classes)

    /// <summary>Tokens as HTML: neighbours of one shade share a span, tokens kept nowhere have none.</summary>
    /// <param name="pairs">How many (layer, kv head) pairs there are.</param>
    /// <param name="counts">How many pairs keep each token.</param>
    /// <param name="tokens">The tokens' text.</param>
    let spans pairs (counts: int[]) (tokens: string seq) =
        let html = StringBuilder()
        let mutable current = 0

        let turn next =
            if next <> current then
                if current > 0 then
                    html.Append "</span>" |> ignore

                if next > 0 then
                    html.Append $"<span class=\"kept{next}\">" |> ignore

                current <- next

        for count, token in Seq.zip counts tokens do
            turn (level pairs count)
            html.Append(Html.escape token) |> ignore

        turn 0
        html.ToString()

    /// <summary>What the shades mean.</summary>
    let legend pairs =
        let swatch level =
            let low = (level - 1) * pairs / levels + 1
            let high = level * pairs / levels
            let range = if low >= high then $"{high}" else $"{low}–{high}"

            if high < low then
                ""
            else
                $"<span class=\"kept{level}\">&nbsp;{range}&nbsp;</span> "

        $"<p>Kept by so many of the {pairs} (layer, kv head) pairs: none "
        + String.concat "" (List.map swatch [ 1..levels ])
        + "</p>"

    /// <summary>Some of the prompt's tokens once for each policy, side by side.</summary>
    /// <param name="first">Where the part begins; below 0 is the prompt's beginning.</param>
    /// <param name="last">Its last position; beyond N-1 is the prompt's end.</param>
    /// <param name="anatomy">One prompt, looked into.</param>
    let part first last (anatomy: Anatomy) =
        let length = anatomy.Tokens.Count
        let first, last = max 0 first, min (length - 1) last
        let dots isThere = if isThere then "…" else ""

        let column policy =
            let kept = anatomy.Kept[policy]
            let counts = (Keeping.counts length kept)[first..last]
            let text = anatomy.Tokens |> Seq.skip first |> spans (Keeping.pairs kept) counts
            $"<div><h4>{Html.escape policy}</h4><pre>{dots (first > 0)}{text}{dots (last < length - 1)}</pre></div>"

        match Theme.order anatomy.Kept.Keys with
        | [] -> ""
        | first :: _ as policies ->
            legend (Keeping.pairs anatomy.Kept[first])
            + $"<div class=\"tokens\">{policies |> List.map column |> String.concat String.Empty}</div>"

    /// <summary>The prompt once for each policy, side by side.</summary>
    /// <param name="anatomy">One prompt, looked into.</param>
    let sideBySide (anatomy: Anatomy) =
        part 0 (anatomy.Tokens.Count - 1) anatomy
