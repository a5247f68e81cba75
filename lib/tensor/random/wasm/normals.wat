;; Philox's words and the normal numbers that they become, two and four at a time. What it computes, and why in double,
;; stands in kernel.ts; `deno task wasm` makes normals.ts of this file.
;;
;; Memory: four arrays of 1,024 words from 0 on, 4,096 bytes each; four of as many float32 from 16,384 on; kernel.ts's
;; constants from 32,768 on; from 36,864 and 45,056 on 1,024 float64 of intermediate values each.
(module
  (memory (export "memory") 1)

  ;; Ten rounds on the first `count` words of each array, in place, four threads at once. Salmon et al. 2011.
  (func (export "philox") (param $count i32) (param $keyLow i32) (param $keyHigh i32)
    (local $at i32) (local $end i32) (local $round i32) (local $k0 v128) (local $k1 v128) (local $m0 v128) (local $m1 v128)
    (local $c0 v128) (local $c1 v128) (local $c2 v128) (local $c3 v128) (local $w0 v128) (local $w1 v128)
    (local $p v128) (local $q v128) (local $r v128) (local $s v128)
    (local.set $end (i32.shl (local.get $count) (i32.const 2)))
    (local.set $m0 (i32x4.splat (i32.const 0xd2511f53)))
    (local.set $m1 (i32x4.splat (i32.const 0xcd9e8d57)))
    (local.set $w0 (i32x4.splat (i32.const 0x9e3779b9)))
    (local.set $w1 (i32x4.splat (i32.const 0xbb67ae85)))
    (loop $threads
      (local.set $c0 (v128.load (local.get $at)))
      (local.set $c1 (v128.load offset=4096 (local.get $at)))
      (local.set $c2 (v128.load offset=8192 (local.get $at)))
      (local.set $c3 (v128.load offset=12288 (local.get $at)))
      (local.set $k0 (i32x4.splat (local.get $keyLow)))
      (local.set $k1 (i32x4.splat (local.get $keyHigh)))
      (local.set $round (i32.const 10))
      (loop $rounds
        ;; 64-bit products of word 0 and of word 2, two threads each
        (local.set $p (i64x2.extmul_low_i32x4_u (local.get $c0) (local.get $m0)))
        (local.set $q (i64x2.extmul_high_i32x4_u (local.get $c0) (local.get $m0)))
        (local.set $r (i64x2.extmul_low_i32x4_u (local.get $c2) (local.get $m1)))
        (local.set $s (i64x2.extmul_high_i32x4_u (local.get $c2) (local.get $m1)))
        ;; upper halves go to words 0 and 2, lower ones to 1 and 3
        (local.set $c0 (v128.xor (v128.xor (local.get $c1) (local.get $k0))
          (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $r) (local.get $s))))
        (local.set $c2 (v128.xor (v128.xor (local.get $c3) (local.get $k1))
          (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $p) (local.get $q))))
        (local.set $c1 (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $r) (local.get $s)))
        (local.set $c3 (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $p) (local.get $q)))
        (local.set $k0 (i32x4.add (local.get $k0) (local.get $w0)))
        (local.set $k1 (i32x4.add (local.get $k1) (local.get $w1)))
        (br_if $rounds (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
      (v128.store (local.get $at) (local.get $c0))
      (v128.store offset=4096 (local.get $at) (local.get $c1))
      (v128.store offset=8192 (local.get $at) (local.get $c2))
      (v128.store offset=12288 (local.get $at) (local.get $c3))
      (br_if $threads (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end)))))

  ;; Of `count` words at `from` and of the array behind it: radius times sine and radius times cosine, two at once, as
  ;; float32 at `to` and in the array behind it. Three short loops: in one long one a processor waits for each step of a
  ;; value, as there is no room for the next values beside it.
  (func (export "normals") (param $count i32) (param $from i32) (param $to i32)
    (local $at i32) (local $i i32) (local $end i32) (local $words v128) (local $m v128) (local $above v128)
    (local $x v128) (local $z v128) (local $radius v128) (local $sine v128) (local $cosine v128) (local $swapped v128)
    (local $one v128) (local $half v128) (local $mantissa v128) (local $exponent v128) (local $sign v128)
    (local.set $one (v128.load64_splat offset=32832 (i32.const 0)))
    (local.set $half (v128.load64_splat offset=32944 (i32.const 0)))
    (local.set $mantissa (v128.const i64x2 0x000fffffffffffff 0x000fffffffffffff))
    (local.set $exponent (v128.const i64x2 0x4330000000000000 0x4330000000000000))
    (local.set $sign (v128.const i64x2 0x8000000000000000 0x8000000000000000))
    (local.set $end (i32.shl (local.get $count) (i32.const 3)))

    (loop $logarithms
      ;; word + 1/2 is m times a power of two: its exponent, told as a number by the bits of 2^52, less 32, times ln 2
      (local.set $m (f64x2.add (local.get $half) (f64x2.convert_low_i32x4_u
        (v128.load64_zero (i32.add (local.get $from) (i32.shr_u (local.get $at) (i32.const 1)))))))
      (local.set $x (f64x2.mul (v128.load64_splat offset=32952 (i32.const 0)) (f64x2.sub
        (v128.or (i64x2.shr_u (local.get $m) (i32.const 52)) (local.get $exponent))
        (v128.load64_splat offset=32960 (i32.const 0)))))
      (local.set $m (v128.or (v128.and (local.get $m) (local.get $mantissa)) (local.get $one)))
      ;; above the root of 2, half of it
      (local.set $above (f64x2.gt (local.get $m) (v128.load64_splat offset=32968 (i32.const 0))))
      (local.set $m (v128.bitselect (f64x2.mul (local.get $m) (local.get $half)) (local.get $m) (local.get $above)))
      (v128.store offset=45056 (local.get $at)
        (f64x2.add (local.get $x) (v128.and (local.get $above) (v128.load64_splat offset=32952 (i32.const 0)))))
      (v128.store offset=36864 (local.get $at)
        (f64x2.div (f64x2.sub (local.get $m) (local.get $one)) (f64x2.add (local.get $m) (local.get $one))))
      (br_if $logarithms (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))

    (local.set $at (i32.const 0))
    (loop $radii
      ;; ln m = 2 artanh x
      (local.set $x (v128.load offset=36864 (local.get $at)))
      (local.set $z (f64x2.mul (local.get $x) (local.get $x)))
      (v128.store offset=45056 (local.get $at) (f64x2.sqrt (f64x2.mul (v128.load64_splat offset=32976 (i32.const 0)) (f64x2.add
        (v128.load offset=45056 (local.get $at))
        (f64x2.mul (f64x2.mul (v128.load64_splat offset=32984 (i32.const 0)) (local.get $x))
          (f64x2.add (v128.load64_splat offset=32832 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32824 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32816 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32808 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32800 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32792 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32784 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32776 (i32.const 0)) (f64x2.mul (local.get $z) (v128.load64_splat offset=32768 (i32.const 0)))))))))))))))))))))))
      (br_if $radii (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))

    (local.set $at (i32.const 0))
    (loop $turns
      ;; an eighth of the circle added: the upper two bits are the quarter, the rest lies around 0
      (local.set $i (i32.shr_u (local.get $at) (i32.const 1)))
      (local.set $words (i32x4.add (v128.load64_zero offset=4096 (i32.add (local.get $from) (local.get $i)))
        (i32x4.splat (i32.const 0x20000000))))
      (local.set $x (f64x2.mul (v128.load64_splat offset=32992 (i32.const 0)) (f64x2.add (local.get $half) (f64x2.convert_low_i32x4_s (i32x4.sub
        (v128.and (local.get $words) (i32x4.splat (i32.const 0x3fffffff)))
        (i32x4.splat (i32.const 0x20000000)))))))
      (local.set $z (f64x2.mul (local.get $x) (local.get $x)))
      (local.set $sine (f64x2.mul (local.get $x)
          (f64x2.add (v128.load64_splat offset=32832 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32880 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32872 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32864 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32856 (i32.const 0))
          (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32848 (i32.const 0)) (f64x2.mul (local.get $z) (v128.load64_splat offset=32840 (i32.const 0))))))))))))))))
      (local.set $cosine
        (f64x2.add (v128.load64_splat offset=32832 (i32.const 0))
        (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32936 (i32.const 0))
        (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32928 (i32.const 0))
        (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32920 (i32.const 0))
        (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32912 (i32.const 0))
        (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32904 (i32.const 0))
        (f64x2.mul (local.get $z) (f64x2.add (v128.load64_splat offset=32896 (i32.const 0)) (f64x2.mul (local.get $z) (v128.load64_splat offset=32888 (i32.const 0)))))))))))))))))
      ;; every other quarter swaps the two; the quarter's upper bit is the sine's sign, both bits' difference the cosine's
      (local.set $x (i32x4.shl (local.get $words) (i32.const 1)))
      (local.set $swapped (i64x2.extend_low_i32x4_s (i32x4.shr_s (local.get $x) (i32.const 31))))
      (local.set $x (i64x2.extend_low_i32x4_s (v128.xor (local.get $words) (local.get $x))))
      (local.set $words (i64x2.extend_low_i32x4_s (local.get $words)))
      (local.set $radius (v128.load offset=45056 (local.get $at)))
      (local.set $i (i32.add (local.get $to) (local.get $i)))
      (v128.store64_lane 0 (local.get $i) (f32x4.demote_f64x2_zero (f64x2.mul (local.get $radius) (v128.xor
        (v128.bitselect (local.get $cosine) (local.get $sine) (local.get $swapped))
        (v128.and (local.get $words) (local.get $sign))))))
      (v128.store64_lane offset=4096 0 (local.get $i) (f32x4.demote_f64x2_zero (f64x2.mul (local.get $radius) (v128.xor
        (v128.bitselect (local.get $sine) (local.get $cosine) (local.get $swapped))
        (v128.and (local.get $x) (local.get $sign))))))
      (br_if $turns (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))))
