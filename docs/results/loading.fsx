// Loading a folder of 1.2 billion random bfloat16 weights against reading its bytes: dotnet fsi docs/results/loading.fsx [out.json]
#nowarn "9"
#r "../../artifacts/bin/LookaheadKV.Cli/release/LookaheadKV.dll"
#r "../../artifacts/bin/LookaheadKV.Cli/release/LookaheadKV.Evaluation.dll"
#r "../../artifacts/bin/LookaheadKV.Cli/release/TorchSharp.dll"

open System
open System.Diagnostics
open System.IO
open System.Runtime.InteropServices
open System.Text.Json
open LookaheadKV.Models
open LookaheadKV.Runtime
open TorchSharp

let runs = 7
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
    let buffer = Array.zeroCreate<byte>(16 <<< 20)

    for path in files do
        use file = File.OpenHandle(path, options = FileOptions.SequentialScan)
        let mutable at = 0L
        let mutable got = 1

        while got > 0 do
            got <- RandomAccess.Read(file, Span buffer, at)
            at <- at + int64 got

/// Every byte of every file into memory that the process did not have before: what a loader must do.
let copy () =
    let blocks =
        [
            for path in files do
                use file = File.OpenHandle path
                let length = RandomAccess.GetLength file
                let block = Marshal.AllocHGlobal(nativeint length)
                let mutable at = 0L

                while at < length do
                    let span =
                        Span<byte>((block + nativeint at).ToPointer(), int (min (length - at) (1L <<< 28)))

                    at <- at + int64 (RandomAccess.Read(file, span, at))

                block
        ]

    for block in blocks do
        Marshal.FreeHGlobal block

/// Private memory, without the pages of mapped files, in bytes.
let memory () =
    let field (name: string) =
        File.ReadLines "/proc/self/status"
        |> Seq.tryFind (fun line -> line.StartsWith(name + ":"))
        |> Option.map (fun line -> 1024L * int64 (line.Split([| ' '; '\t' |], StringSplitOptions.RemoveEmptyEntries)[1]))

    field "RssAnon" |> Option.defaultValue 0L

let atStart = memory ()

/// The most private memory while something runs, looked at every millisecond, beyond that of the program before its first load.
let peakOf (work: unit -> unit) =
    let peak = ref atStart
    use stop = new Threading.ManualResetEventSlim()

    let watch =
        Threading.Thread(fun () ->
            while not (stop.Wait 1) do
                peak.Value <- max peak.Value (memory ()))

    watch.Priority <- Threading.ThreadPriority.Highest
    watch.Start()
    work ()
    stop.Set()
    watch.Join()
    peak.Value - atStart

let timed (work: unit -> unit) =
    let clock = Stopwatch.StartNew()
    work ()
    clock.Elapsed.TotalMilliseconds

let load device dtype () =
    use decoder = Decoder.Load(folder, device, dtype)
    ()

let device = Devices.Parse null

let ways =
    [
        "read through one buffer", read
        "read into fresh memory", copy
        "load, bfloat16, CPU", load torch.CPU torch.ScalarType.BFloat16
        "load, float32, CPU", load torch.CPU torch.ScalarType.Float32
        if device.``type`` = DeviceType.CUDA then
            $"load, bfloat16, {Devices.Describe device}", load device torch.ScalarType.BFloat16
    ]

// The first run also warms the page cache and the compiler.
let peaks = [ for _, work in ways -> peakOf work ]

// The ways take turns, so that a disturbance of the machine meets all of them; the least disturbed run of each counts.
let times = [| for _ in 1..runs -> [| for _, work in ways -> timed work |] |]

let rows =
    [
        for i, (name, _) in List.indexed ways do
            {|
                name = name
                milliseconds = times |> Array.map (Array.item i) |> Array.min
                peakBytes = peaks[i]
            |}
    ]

printfn $"{parameters} parameters, {bytes} bytes in {files.Length} files, the largest {largest}"

for row in rows do
    let against = row.milliseconds / rows.Head.milliseconds

    printfn
        $"%-30s{row.name} %7.0f{row.milliseconds} ms  %.2f{against}x  at most %.2f{float row.peakBytes / float (1L <<< 30)} GiB of private memory"

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
