// Decoding on ragged layers (adaptive heads, one pool for all layers) against rectangles of the same bytes: dotnet fsi docs/results/ragged.fsx [out.json]
#r "../../artifacts/bin/LookaheadKV.Cli/release/LookaheadKV.dll"
#r "../../artifacts/bin/LookaheadKV.Cli/release/LookaheadKV.Evaluation.dll"
#r "../../artifacts/bin/LookaheadKV.Cli/release/TorchSharp.dll"
#r "../../artifacts/bin/LookaheadKV.Cli/release/LookaheadKV.FSharp.dll"

open System
open System.Diagnostics
open System.IO
open System.Text.Json
open LookaheadKV.FSharp
open LookaheadKV.Generation
open LookaheadKV.Passes

let model = Model.load "nano"
let sample = model |> Model.sample "listall" 2048 2026L 0L
let tokens, runs = 64, 9

let policies =
    [
        "uniform", Policy.from "snapkv"
        "adaptive heads", Policy.from "snapkv" |> Policy.adaptive
        "global", Policy.from "snapkv" |> Policy.shared
    ]

let sessions =
    [
        for name, policy in policies ->
            name, Session.Start(model.Decoder, sample.PromptIds, policy |> Policy.budget (Tokens 256), 2 * tokens)
    ]

let decode (session: Session) =
    let mark = session.Cache.Mark()
    let clock = Stopwatch.StartNew()

    for token in 0 .. tokens - 1 do
        session.Append([| 5 + token |]).Dispose()

    let elapsed = clock.Elapsed.TotalMilliseconds / float tokens
    session.Cache.RollBack mark
    elapsed

for _, session in sessions do
    decode session |> ignore

// The kinds take turns, so that a disturbance of the machine meets all of them; the median of the runs counts.
let times =
    [| for _ in 1..runs -> [| for _, session in sessions -> decode session |] |]

let rows =
    sessions
    |> List.mapi (fun i (name, session) ->
        {|
            name = name
            bytes = session.Cache.Bytes
            positionBytes = session.Cache.PositionBytes
            msPerToken = (times |> Array.map (Array.item i) |> Array.sort)[runs / 2]
        |})

for row in rows do
    printfn $"%-15s{row.name} %9d{row.bytes} bytes   %.2f{row.msPerToken} ms a token   %.2f{row.msPerToken / rows.Head.msPerToken}x"

match fsi.CommandLineArgs |> Array.tryItem 1 with
| Some path -> File.WriteAllText(path, JsonSerializer.Serialize(rows, JsonSerializerOptions(WriteIndented = true)) + "\n")
| None -> ()
