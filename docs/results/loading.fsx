// Loading a folder of 1.2 billion random bfloat16 weights against reading its bytes: dotnet fsi docs/results/loading.fsx [out.json]
#r "../../artifacts/bin/LookaheadKV.Cli/release/LookaheadKV.dll"
#r "../../artifacts/bin/LookaheadKV.Cli/release/TorchSharp.dll"

open System
open System.Diagnostics
open System.IO
open System.Text.Json
open LookaheadKV.Checkpoints
open LookaheadKV.Models
open LookaheadKV.Runtime
open TorchSharp

let runs = 5
let shape = "llama-3.2-1b"
let folder = Directory.CreateTempSubdirectory("lookahead-loading-").FullName
let shardBytes = 512L <<< 20

let parameters =
    RandomFolder.Write(folder, ModelShapes.Find shape, 1L, torch.CPU, shardBytes)

let files = Directory.GetFiles(folder, "*.safetensors") |> Array.sort
let bytes = files |> Array.sumBy (fun file -> FileInfo(file).Length)
let largest = files |> Array.map (fun file -> FileInfo(file).Length) |> Array.max

/// Every byte of every file through one buffer: what any reader must do. The page cache is warm for all.
let read () =
    let buffer = Array.zeroCreate<byte> (16 <<< 20)

    for path in files do
        use file = File.OpenHandle(path, options = FileOptions.SequentialScan)
        let mutable at = 0L
        let mutable got = 1

        while got > 0 do
            got <- RandomAccess.Read(file, Span buffer, at)
            at <- at + int64 got

/// Every byte of every file into memory of its own, as large as the model: what a loader must do.
let copy () =
    for path in files do
        File.ReadAllBytes path |> ignore

/// Private memory, without the pages of mapped files, in bytes: now, and the most there was.
let memory () =
    let field (name: string) =
        File.ReadLines "/proc/self/status"
        |> Seq.tryFind (fun line -> line.StartsWith(name + ":"))
        |> Option.map (fun line -> 1024L * int64 (line.Split([| ' '; '\t' |], StringSplitOptions.RemoveEmptyEntries)[1]))

    field "RssAnon" |> Option.defaultValue 0L

/// The most private memory while something runs, looked at every millisecond.
let peakOf (work: unit -> unit) =
    let before = memory ()
    let mutable peak = before
    let mutable running = true

    let watch =
        Threading.Thread(fun () ->
            while running do
                peak <- max peak (memory ())
                Threading.Thread.Sleep 1)

    watch.Start()
    work ()
    running <- false
    watch.Join()
    peak - before

let timed (work: unit -> unit) =
    let clock = Stopwatch.StartNew()
    work ()
    clock.Elapsed.TotalMilliseconds

let median (values: float[]) = (Array.sort values)[values.Length / 2]

let load device dtype () =
    use decoder = Decoder.Load(folder, device, dtype)
    ()

let device = Devices.Parse null

let ways =
    [
        "read through one buffer", read
        "read into arrays", copy
        "load, bfloat16, CPU", load torch.CPU torch.ScalarType.BFloat16
        if device.``type`` = DeviceType.CUDA then
            $"load, bfloat16, {Devices.Describe device}", load device torch.ScalarType.BFloat16
    ]

for _, work in ways do
    work () // warms the page cache and the compiler

// The ways take turns, so that a disturbance of the machine meets all of them; the median of the runs counts.
let times = [| for _ in 1..runs -> [| for _, work in ways -> timed work |] |]

let rows =
    [
        for i, (name, work) in List.indexed ways do
            GC.Collect()

            {|
                name = name
                milliseconds = times |> Array.map (Array.item i) |> median
                peakBytes = peakOf work
            |}
    ]

printfn $"{parameters} parameters, {bytes} bytes in {files.Length} files, the largest {largest}"

for row in rows do
    let against = row.milliseconds / rows.Head.milliseconds
    printfn $"%-30s{row.name} %7.0f{row.milliseconds} ms  %.2f{against}x  at most %.2f{float row.peakBytes / float (1L <<< 30)} GiB of private memory"

match fsi.CommandLineArgs with
| [| _; out |] ->
    let json =
        {|
            shape = shape
            parameters = parameters
            bytes = bytes
            files = files.Length
            largestFile = largest
            device = Devices.Describe device
            runs = runs
            rows = rows
        |}

    File.WriteAllText(out, JsonSerializer.Serialize(json, JsonSerializerOptions(WriteIndented = true)) + "\n")
| _ -> ()

Directory.Delete(folder, true)
