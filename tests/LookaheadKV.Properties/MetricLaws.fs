/// What every answer metric promises, whatever the texts.
module LookaheadKV.Properties.MetricLaws

open System
open Xunit
open FsCheck
open FsCheck.FSharp
open FsCheck.Xunit
open LookaheadKV.Evaluation.Metrics

/// Texts of a few words that meet often, with the marks, spaces and line breaks that metrics treat in their own ways.
type Texts =
    static member Text() =
        let piece =
            Gen.elements
                [
                    "the"
                    "a"
                    "red"
                    "Red"
                    "sky"
                    "sky."
                    "7"
                    "12"
                    "."
                    "\n"
                    "\t"
                    "#"
                    "\""
                    "é"
                    "雨"
                    "```tsv\n"
                    "```"
                ]

        Gen.listOf piece |> Gen.map (String.concat " ") |> Arb.fromGen

let private answers = [| "sky"; "red sky"; "7" |]

/// All metrics of one answer.
let private metrics: (string * (string -> string -> float)) list =
    [
        "exact", (fun p a -> ExactAnswer.Score(p, a))
        "f1", (fun p a -> AnswerF1.Score(p, a))
        "rouge sentence", (fun p a -> RougeL.Sentence(p, a))
        "rouge summary", (fun p a -> RougeL.Summary(p, a))
        "classification", (fun p a -> Classification.Score(p, a, [| a; "red"; "sky" |]))
        "count", (fun p a -> NumberShare.Count(p, a))
        "retrieval", (fun p a -> NumberShare.Retrieval(p, $"Paragraph {a.Length}"))
        "code", (fun p a -> CodeSimilarity.Score(p, a))
        "ratio", (fun p a -> CodeSimilarity.Ratio(p, a))
        "all", (fun p a -> StringMatch.All(p, [| a; "sky" |]))
        "part", (fun p a -> StringMatch.Part(p, [| a; "sky" |]))
        "rows", (fun p a -> RowF1.Score(p, a))
    ]

let private symmetric = [ "exact"; "f1"; "rouge sentence"; "ratio" ]

let private words (text: string) =
    text.Split([| ' '; '\n'; '\t' |], StringSplitOptions.RemoveEmptyEntries)

[<Property(Arbitrary = [| typeof<Texts> |], MaxTest = 300)>]
let ``scores lie between 0 and 1`` (prediction: string) (answer: string) =
    metrics
    |> List.forall (fun (name, score) ->
        let value = score prediction answer

        if value >= 0.0 && value <= 1.0 then
            true
        else
            failwith $"{name} is {value}")

[<Property(Arbitrary = [| typeof<Texts> |], MaxTest = 300)>]
let ``F1, sentences' ROUGE-L, the ratio and exact match take their texts in either order`` (prediction: string) (answer: string) =
    metrics
    |> List.filter (fun (name, _) -> List.contains name symmetric)
    |> List.forall (fun (_, score) -> abs (score prediction answer - score answer prediction) < 1e-12)

[<Property(Arbitrary = [| typeof<Texts> |], MaxTest = 300)>]
let ``a text with a word matches itself`` (text: string) =
    let hasWord = AnswerText.Words(text).Length > 0

    ExactAnswer.Score(text, text) = 1.0
    && CodeSimilarity.Ratio(text, text) = 1.0
    && Classification.Score(text, text, [| text |]) = 1.0
    && StringMatch.All(text, [| text |]) = 1.0
    && (not hasWord || AnswerF1.Score(text, text) = 1.0)
    && (not hasWord || RougeL.Sentence(text, text) = 1.0)
    && (not hasWord || RougeL.Summary(text, text) = 1.0)

[<Property(Arbitrary = [| typeof<Texts> |], MaxTest = 300)>]
let ``normalising twice is normalising once`` (text: string) =
    let once = AnswerText.Normalize text
    AnswerText.Normalize once = once

[<Property(Arbitrary = [| typeof<Texts> |], MaxTest = 300)>]
let ``F1 does not see the order of words, ROUGE-L of reversed words is never more than F over bags`` (prediction: string) (answer: string) =
    let reversed = prediction |> words |> Array.rev |> String.concat " "

    let bag =
        let p, a = words prediction, words answer

        let common =
            Array.countBy id p
            |> Array.sumBy (fun (word, n) -> min n (a |> Array.filter ((=) word) |> Array.length))

        if common = 0 then
            0.0
        else
            2.0 * float common / float (p.Length + a.Length)

    abs (AnswerF1.Score(reversed, answer) - AnswerF1.Score(prediction, answer)) < 1e-12
    && RougeL.Sentence(prediction, answer) <= bag + 1e-12

[<Property(Arbitrary = [| typeof<Texts> |], MaxTest = 300)>]
let ``writing more never loses an answer that RULER has found`` (prediction: string) (more: string) =
    StringMatch.All(prediction + more, answers) >= StringMatch.All(prediction, answers)
    && StringMatch.Part(more + prediction, answers) >= StringMatch.Part(prediction, answers)
    && StringMatch.Part(prediction, answers) >= StringMatch.All(prediction, answers)

[<Property(Arbitrary = [| typeof<Texts> |], MaxTest = 300)>]
let ``the best of several answers is never below any of them`` (prediction: string) (one: string) (other: string) =
    let best = AnyAnswer.Best(fun p a -> AnswerF1.Score(p, a))
    best.Invoke(prediction, [| one; other |]) = max (AnswerF1.Score(prediction, one)) (AnswerF1.Score(prediction, other))

/// Tables of small numbers; rows may repeat.
let private table (rows: (byte * byte) list) =
    "x\ty\n" + String.concat "\n" [ for x, y in rows -> $"{int x % 4}\t{int y % 3}" ]

[<Property(MaxTest = 300)>]
let ``rows in another order score the same, and F1 is that of the sets of rows``
    (p: NonEmptyArray<byte * byte>)
    (a: NonEmptyArray<byte * byte>)
    =
    let prediction, answer = List.ofArray p.Get, List.ofArray a.Get
    let rows = List.map (fun (x: byte, y: byte) -> int x % 4, int y % 3)

    let share part whole =
        part
        |> List.filter (fun row -> List.contains row whole)
        |> List.length
        |> fun n -> float n / float part.Length

    let precision, recall =
        share (rows prediction) (rows answer), share (rows answer) (rows prediction)

    let expected =
        if precision + recall = 0.0 then
            0.0
        else
            2.0 * precision * recall / (precision + recall)

    abs (RowF1.Score(table prediction, table answer) - expected) < 1e-12
    && RowF1.Score(table (List.rev prediction), table answer) = RowF1.Score(table prediction, table answer)
    && RowF1.Score(table answer, table prediction) = RowF1.Score(table prediction, table answer)
